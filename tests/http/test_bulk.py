"""Bulk writes of items and ideas: many operations are what the single ones would be, all of them or none."""

import asyncio
from collections.abc import AsyncIterator, MutableMapping
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as bounds
from hypothesis import strategies as some

from features.ideas.tests.factories import add_system
from tests.fixtures.database import WAITING_LOCKS, Connection
from tests.fixtures.services import TestServices
from tests.fixtures.trail import audit_of
from tests.fixtures.waiting import wait_for
from tests.http.bulk import BOTH, IDEAS, Json, Resource

Logs = list[MutableMapping[str, Any]]


def operations(rows: Resource, existing: int) -> some.SearchStrategy[list[Json]]:
    """Of distinct rows, by their numbers; some of a row that is not there, or with a tag of another state."""
    of_row = some.fixed_dictionaries(
        {"row": some.integers(0, existing)},
        optional={"ifMatch": some.sampled_from(["*", "right", "right", "right", '"1-0"'])},
    )
    update = of_row.flatmap(
        lambda each: rows.changes.map(lambda data: {**each, "op": "update", "data": data})
    )
    delete = of_row.map(lambda each: {**each, "op": "delete"})
    create = rows.changes.map(lambda data: {"op": "create", "data": {**rows.new, **data}})
    return some.lists(
        update | delete | create,
        min_size=1,
        max_size=8,
        unique_by=lambda each: each.get("row", id(each)),
    )


def examples(rows: Resource, existing: int, count: int) -> list[list[Json]]:
    seen: list[list[Json]] = []

    @bounds(
        max_examples=count,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(operations(rows, existing))
    def collect(example: list[Json]) -> None:
        seen.append(example)

    collect()
    return seen


def timeless(value: Any, ids: dict[str, str]) -> Any:
    """Without ids and moments, which differ between two that are the same."""
    if isinstance(value, dict):
        return {key: timeless(each, ids) for key, each in value.items()}
    if isinstance(value, list):
        return [timeless(each, ids) for each in value]
    if isinstance(value, str) and value in ids:
        return ids[value]
    return "now" if isinstance(value, str) and value.startswith("202") and value.endswith("Z") else value


@pytest.mark.slow
@BOTH
async def test_operations_do_what_single_requests_do(
    client: httpx.AsyncClient, connection: Connection, rows: Resource
) -> None:
    """Rows, answers, versions and entries; what one of them is refused for the whole is refused for."""
    for system in ("s1", "s2"):
        await add_system(connection, system, system)
    who = {"x-user-id": "ada"}
    outcomes = set[int]()
    for example in examples(rows, 5, 20):
        alone, together = await rows.make(client, 5), await rows.make(client, 5)
        tags = {
            row: (await client.get(f"{rows.single}/{row}")).headers["etag"] for row in (*alone, *together)
        }

        def named(each: Json, ids: list[str]) -> Json:
            if each["op"] == "create":
                return each
            row = [*ids, "nobody"][each["row"]]
            tag = each.get("ifMatch", "*")
            right = tags.get(row, '"none"')  # noqa: B023 - at once
            given = {"ifMatch": right if tag == "right" else tag} if "ifMatch" in each else {}
            return {key: each[key] for key in ("op", "data") if key in each} | {"id": row, **given}

        before = await rows.stored(connection)
        whole = await rows.post(client, *(named(each, together) for each in example), **who)
        after = await rows.stored(connection)
        singles = []
        for each in example:
            one = named(each, alone)
            method = {"create": "POST", "update": "PUT", "delete": "DELETE"}[one["op"]]
            path = f"{rows.single}/{one['id']}" if "id" in one else rows.single
            match = {"if-match": one["ifMatch"]} if "ifMatch" in one else {}
            singles.append(await client.request(method, path, json=one.get("data"), headers={**who, **match}))
        refused = [number for number, each in enumerate(singles) if not each.is_success]
        outcomes.add(whole.status_code)
        if refused:
            assert whole.status_code == singles[refused[0]].status_code, (example, whole.text)
            faults = [detail["field"] for detail in whole.json()["details"]]
            assert [int(field.split(".")[1]) for field in faults] == refused
            assert after == before
            continue
        assert whole.status_code == 200, (example, whole.text)
        for asked, each, single in zip(example, whole.json()["data"], singles, strict=True):
            row, other = each["id"], single.json()["data"]["id"]
            ids = {row: "it", other: "it"}
            assert timeless(each["data"], ids) == timeless(single.json()["data"], ids)
            assert each["status"] == single.status_code
            version = f"SELECT {rows.version} FROM {rows.table} WHERE id = $1"
            assert await connection.fetchval(version, row) == await connection.fetchval(version, other)
            entries = [timeless(await audit_of(connection, rows.entity, name), ids) for name in (row, other)]
            facts = [[(e["action"], e["actor"], e["changes"]) for e in own] for own in entries]
            assert facts[0] == facts[1]
            read = await client.get(f"{rows.single}/{row}")
            if asked["op"] == "delete":
                assert read.status_code == 404
            else:
                assert (read.json()["data"], read.headers["etag"]) == (each["data"], each["etag"])
    assert 200 in outcomes
    assert len(outcomes) > 1


@BOTH
async def test_a_thousand_are_written_by_a_few_statements_and_one_more_is_refused(
    client: httpx.AsyncClient, connection: Connection, rows: Resource
) -> None:
    queries = []
    for count in (10, 1000):
        new = [{"op": "create", "data": {**rows.new, "title": f"Row {n}"}} for n in range(count)]
        made = await rows.done(client, *new)
        assert [each["data"]["title"] for each in made] == [f"Row {n}" for n in range(count)]
        mixed = [
            {"op": "delete", "id": each["id"], "ifMatch": each["etag"]}
            if number % 3 == 0
            else {
                "op": "update",
                "id": each["id"],
                "ifMatch": each["etag"],
                "data": {"title": f"No. {number}"},
            }
            for number, each in enumerate(made)
        ]
        answer = await rows.post(client, *reversed(mixed))
        assert answer.status_code == 200, answer.text
        assert [each["id"] for each in answer.json()["data"]] == [each["id"] for each in reversed(made)]
        queries.append(answer.headers["server-timing"].partition("desc=")[2].split()[0])
    assert queries[0] == queries[1]
    assert await connection.fetchval(f"SELECT count(*) FROM {rows.table}") == 6 + 666
    before = await rows.stored(connection)
    refused = await rows.post(client, *({"op": "create", "data": rows.new} for _ in range(1001)))
    assert (refused.status_code, refused.json()["errors"]) == (
        400,
        ["operations: must have at most 1000 entries"],
    )
    assert await rows.stored(connection) == before


@BOTH
async def test_two_that_take_the_same_rows_in_opposite_order_wait_in_line(
    client: httpx.AsyncClient,
    connection: Connection,
    services: TestServices,
    rows: Resource,
    logs: Logs,
) -> None:
    ids = await rows.make(client, 60)

    async def write(number: int) -> list[Json]:
        wanted = ids if number % 2 else ids[::-1]
        title = {"title": f"By {number}"}
        return await rows.done(client, *({"op": "update", "id": row, "data": title} for row in wanted))

    async with held(services, connection, rows.table, sorted(ids)[30]):
        writing = [asyncio.create_task(write(number)) for number in range(8)]
    answers = await asyncio.gather(*writing)
    assert not [entry for entry in logs if entry["event"] == "database.retried"]
    assert await connection.fetchval(f"SELECT count(*) FROM {rows.table} WHERE {rows.version} = 9") == 60
    titles = {row["title"] for row in await connection.fetch(f"SELECT title FROM {rows.table}")}
    assert len(titles) == 1, "the last one wrote all of them"
    seen = {tuple(sorted({each["etag"].partition("-")[0] for each in answer})) for answer in answers}
    assert seen == {(f'"{version}',) for version in range(2, 10)}


@BOTH
async def test_of_many_with_the_same_tags_one_is_carried_out(
    client: httpx.AsyncClient, connection: Connection, rows: Resource
) -> None:
    made = await rows.done(client, *({"op": "create", "data": rows.new} for _ in range(20)))
    changes = [
        {"op": "update", "id": each["id"], "ifMatch": each["etag"], "data": {"tags": ["x"]}} for each in made
    ]
    answers = await asyncio.gather(
        *(rows.post(client, *(changes if number % 2 else changes[::-1])) for number in range(8))
    )
    assert sorted(answer.status_code for answer in answers) == [200, *[412] * 7]
    assert await connection.fetchval(f"SELECT max({rows.version}) FROM {rows.table}") == 2


@BOTH
async def test_the_next_read_shows_it(client: httpx.AsyncClient, rows: Resource) -> None:
    ids = await rows.make(client, 30)
    paths = [rows.single, f"{rows.single}?limit=5", *(f"{rows.single}/{row}" for row in ids[:3])]
    for path in paths * 2:
        cached = await client.get(path)
    assert cached.headers["x-cache"] == "HIT"
    await rows.done(
        client,
        {"op": "delete", "id": ids[0]},
        *({"op": "update", "id": row, "data": {"title": "Newer"}} for row in ids[1:]),
    )
    assert (await client.get(paths[2])).status_code == 404
    for path in paths[3:]:
        assert (await client.get(path)).json()["data"]["title"] == "Newer"
    for path in paths[:2]:
        assert {each["title"] for each in (await client.get(path)).json()["data"]} == {"Newer"}
    assert (await client.get(rows.single)).json()["count"] == 29


@BOTH
async def test_with_a_key_it_is_done_once(
    client: httpx.AsyncClient, connection: Connection, rows: Resource
) -> None:
    [row] = await rows.make(client, 1)
    wanted = [
        {"op": "create", "data": rows.new},
        {"op": "update", "id": row, "data": {"title": "Once"}},
    ]
    key = {"idempotency-key": str(uuid4())}
    answers = await asyncio.gather(*(rows.post(client, *wanted, **key) for _ in range(5)))
    again = await rows.post(client, *wanted, **key)
    assert again.headers["idempotency-replayed"] == "true"
    done = [answer for answer in answers if answer.status_code == 200]
    assert {answer.content for answer in done} == {again.content}
    assert {answer.status_code for answer in answers} <= {200, 409}
    assert await connection.fetchval(f"SELECT count(*) FROM {rows.table}") == 2
    assert len(await audit_of(connection, rows.entity, row)) == 2
    key = {"idempotency-key": str(uuid4())}
    missing = [*wanted, {"op": "delete", "id": "not yet"}]
    assert (await rows.post(client, *missing, **key)).status_code == 404
    await connection.execute(f"UPDATE {rows.table} SET id = 'not yet' WHERE id <> $1", row)
    assert (await rows.post(client, *missing, **key)).status_code == 200


@asynccontextmanager
async def held(services: TestServices, connection: Connection, table: str, row: str) -> AsyncIterator[None]:
    """Somebody holds the row, until two others wait, one perhaps for the other."""
    holder: Connection = await asyncpg.connect(services.database_url)
    try:
        async with holder.transaction():
            await holder.execute(f"SELECT FROM {table} WHERE id = $1 FOR UPDATE", row)
            yield
            waiting = (
                f"SELECT count(*) >= 2 FROM {WAITING_LOCKS} WHERE locktype IN ('tuple', 'transactionid')"
            )
            await wait_for(lambda: connection.fetchval(waiting))
    finally:
        await holder.close()


async def test_ideas_are_held_behind_their_systems(
    client: httpx.AsyncClient, connection: Connection, services: TestServices, logs: Logs
) -> None:
    """So that a deletion of the system, which changes its ideas in another order, waits for the whole."""
    system = await add_system(connection, "System")
    ids = sorted(await IDEAS.make(client, 40, systemId=system))
    moment = "timestamptz '2025-01-01' + array_position($1::text[], id) * interval '1 second'"
    await connection.execute(f"UPDATE ideas SET created_at = {moment}", ids)
    update = [{"op": "update", "id": row, "data": {"title": "New"}} for row in ids]
    async with held(services, connection, "ideas", ids[20]):
        writing = asyncio.create_task(IDEAS.post(client, *update))
        deleting = asyncio.create_task(client.delete(f"/api/v1/systems/{system}"))
    assert ((await writing).status_code, (await deleting).status_code) == (200, 200)
    assert not [entry for entry in logs if entry["event"] == "database.retried"]
    free = "SELECT count(*) FROM ideas WHERE system_id IS NULL AND title = 'New'"
    assert await connection.fetchval(free) == 40


async def test_a_creation_in_a_bulk_names_its_author(client: httpx.AsyncClient) -> None:
    new = {"op": "create", "data": IDEAS.new}
    named = {"op": "create", "data": {**IDEAS.new, "createdBy": "eve", "status": "completed"}}
    first, second = await IDEAS.done(client, new, named, **{"x-user-id": "ada"})
    assert (first["data"]["createdBy"], second["data"]["createdBy"]) == ("ada", "eve")
    assert second["data"]["completedAt"] == second["data"]["createdAt"]
