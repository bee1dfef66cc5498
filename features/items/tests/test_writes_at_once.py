"""Creations and updates that meet: each is answered, and recorded, as if it were alone."""

import asyncio
from typing import Final

import asyncpg
import httpx
import pytest

from features.items.tests.factories import create, new_item
from tests.fixtures.database import WAITING_LOCKS, Connection
from tests.fixtures.services import TestServices
from tests.fixtures.trail import audit_of
from tests.fixtures.waiting import wait_for

AT_ONCE: Final = 60
TITLES: Final = [f'{number} "quoted"\n\tline, é 🚀 \\ {{}}' for number in range(AT_ONCE)]


def _who(number: int) -> dict[str, str]:
    return {"x-user-id": f"person-{number}", "x-request-id": f"request-{number}"}


async def test_each_creation_has_its_own_row_answer_and_trail(
    client: httpx.AsyncClient, connection: Connection
) -> None:
    answers = await asyncio.gather(
        *(
            client.post("/api/items", json=new_item(title=title, tags=[str(number)]), headers=_who(number))
            for number, title in enumerate(TITLES)
        )
    )
    for number, (title, answer) in enumerate(zip(TITLES, answers, strict=True)):
        assert answer.status_code == 201
        shown = answer.json()["data"]
        assert (shown["title"], shown["tags"]) == (title.strip(), [str(number)])
        assert answer.headers["location"] == f"/api/items/{shown['id']}"
        read = await client.get(answer.headers["location"])
        assert read.json()["data"] == shown
        assert read.headers["etag"] == answer.headers["etag"]
        [entry] = await audit_of(connection, "item", shown["id"])
        assert (entry["actor"], entry["request_id"]) == (f"person-{number}", f"request-{number}")
        assert entry["changes"]["title"] == {"before": None, "after": title.strip()}


async def test_each_update_is_judged_by_itself(client: httpx.AsyncClient, connection: Connection) -> None:
    """Among others that succeed: one of an item that is not there, one that has seen an old state, one that
    has seen the present one, one that changes nothing, one that is no valid body.
    """
    items = [await create(client, title=f"item {number}") for number in range(20)]
    urls = [f"/api/items/{item['id']}" for item in items]
    tags = [(await client.get(url)).headers["etag"] for url in urls]
    await client.put(urls[3], json={"title": "newer"})
    urls[2] = "/api/items/there is none%0A"
    bodies: list[dict[str, object]] = [{"title": f"by {number}", "status": "review"} for number in range(20)]
    bodies[5], bodies[6] = {}, {"title": None}
    headers = [_who(number) for number in range(20)]
    for number in (3, 4):
        headers[number]["if-match"] = tags[number]
    answers = await asyncio.gather(
        *(
            client.put(url, json=body, headers=who)
            for url, body, who in zip(urls, bodies, headers, strict=True)
        )
    )
    refused = {2: 404, 3: 412, 6: 400}
    assert {n: each.status_code for n, each in enumerate(answers) if each.status_code != 200} == refused
    for number, answer in enumerate(answers):
        trail = await audit_of(connection, "item", items[number]["id"])
        mine = [entry for entry in trail if entry["actor"] == f"person-{number}"]
        if number in refused:
            assert not mine
            continue
        shown = answer.json()["data"]
        assert shown == {**items[number], **bodies[number], "updatedAt": shown["updatedAt"]}
        assert (await client.get(urls[number])).json()["data"] == shown
        [entry] = mine
        assert entry["request_id"] == f"request-{number}"
        assert set(entry["changes"]) == {"updatedAt", *bodies[number]}


async def test_an_item_that_somebody_holds_keeps_nobody_else_waiting(
    client: httpx.AsyncClient, connection: Connection, services: TestServices
) -> None:
    """Its own writer waits for it, and changes what is there then."""
    items = [await create(client, title=f"item {number}") for number in range(30)]
    urls = [f"/api/items/{item['id']}" for item in items]
    holder: Connection = await asyncpg.connect(services.database_url)
    try:
        async with holder.transaction():
            await holder.execute(
                "UPDATE items SET description = 'held', version = version + 1 WHERE id = $1", items[7]["id"]
            )
            sent = [asyncio.create_task(client.put(url, json={"title": "new"})) for url in urls]
            others = [each for number, each in enumerate(sent) if number != 7]
            assert {each.status_code for each in await asyncio.gather(*others)} == {200}
            waits = f"SELECT count(*) FROM {WAITING_LOCKS} WHERE locktype = 'transactionid'"
            await wait_for(lambda: connection.fetchval(waits))
            assert not sent[7].done()
        late = (await sent[7]).json()["data"]
    finally:
        await holder.close()
    assert (late["title"], late["description"]) == ("new", "held")
    assert await connection.fetchval("SELECT version FROM items WHERE id = $1", items[7]["id"]) == 3


@pytest.mark.parametrize("method", ["POST", "PUT"])
async def test_what_the_database_refuses_is_refused_for_its_writer_alone(
    client: httpx.AsyncClient, connection: Connection, method: str
) -> None:
    items = [await create(client) for _ in range(20)] if method == "PUT" else []
    await connection.execute(
        """
        ALTER TABLE items ADD CONSTRAINT items_test_check CHECK (title <> 'refused');
        """
    )
    try:
        answers = await asyncio.gather(
            *(
                client.request(
                    method,
                    f"/api/items/{items[number]['id']}" if items else "/api/items",
                    json=new_item(title="refused" if number == 11 else f"title {number}"),
                    headers=_who(number),
                )
                for number in range(20)
            )
        )
    finally:
        await connection.execute("ALTER TABLE items DROP CONSTRAINT items_test_check")
    assert [number for number, each in enumerate(answers) if not each.is_success] == [11]
    assert answers[11].status_code == 500
    stored = await connection.fetch("SELECT title FROM items ORDER BY title")
    assert sum(row["title"].startswith("title ") for row in stored) == 19
    actors = await connection.fetch("SELECT actor FROM audit_entries WHERE actor LIKE 'person-%'")
    assert sorted(row["actor"] for row in actors) == sorted(f"person-{n}" for n in range(20) if n != 11)
