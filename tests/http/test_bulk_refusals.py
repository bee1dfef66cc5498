"""What a bulk write refuses: the whole, naming each operation that fails."""

import json
import time
from collections.abc import Iterator
from typing import Final

import httpx

from tests.fixtures.database import Connection
from tests.fixtures.refusals import escaped
from tests.fixtures.trail import no_audit
from tests.http.bulk import BOTH, Json, Resource


@BOTH
async def test_each_operation_that_fails_is_named(
    client: httpx.AsyncClient, connection: Connection, rows: Resource
) -> None:
    before = await rows.stored(connection)
    gone = await rows.post(client, *({"op": "delete", "id": f"none-{n}"} for n in range(300)))
    assert gone.status_code == 404
    assert [each["field"] for each in gone.json()["details"]] == [f"operations.{n}.id" for n in range(300)]
    wrong = await rows.post(client, *({"op": "create", "data": {}} for _ in range(300)))
    assert wrong.status_code == 400
    named = [each["field"].split(".")[1] for each in wrong.json()["details"]]
    assert named == [str(number) for number in range(300)]
    assert await rows.stored(connection) == before


@BOTH
async def test_what_fails_last_undoes_the_whole(
    client: httpx.AsyncClient, connection: Connection, rows: Resource
) -> None:
    """Also what nobody could know before: here an entry cannot be written."""
    one, other = await rows.make(client, 2)
    before = await rows.stored(connection)
    async with no_audit(connection):
        failed = await rows.post(
            client,
            {"op": "create", "data": rows.new},
            {"op": "delete", "id": one},
            {"op": "update", "id": other, "data": {"title": "New"}},
            **{"x-user-id": "mallory"},
        )
        assert failed.status_code == 500
    assert await rows.stored(connection) == before


@BOTH
async def test_values_that_only_old_rows_have_may_stay(
    client: httpx.AsyncClient, connection: Connection, rows: Resource
) -> None:
    one, other = await rows.make(client, 2)
    long = "x" * 250
    await connection.execute(f"UPDATE {rows.table} SET title = $1 WHERE id = $2", long, one)
    update = {"op": "update", "data": {"title": long, "priority": "low"}}
    [result] = await rows.done(client, {**update, "id": one})
    assert (result["data"]["title"], result["data"]["priority"]) == (long, "low")
    refused = await rows.post(client, {**update, "id": one}, {**update, "id": other})
    assert refused.status_code == 400
    assert refused.json()["errors"] == ["operations.1.data.title: must have at most 200 characters"]


@BOTH
async def test_the_limit_of_the_body_is_told(client: httpx.AsyncClient, rows: Resource) -> None:
    large = {"op": "create", "data": {**rows.new, "description": "x" * 1_048_576}}
    refused = await rows.post(client, large)
    assert refused.status_code == 413
    assert refused.json()["message"] == "Request body is larger than 1048576 bytes"


NO_OBJECTS: Final[tuple[object, ...]] = (None, [], "x", 1)
NO_TEXTS: Final[tuple[object, ...]] = (1, {}, ["x"], True, "\ud800")


def hostile(new: Json) -> Iterator[tuple[object, str]]:
    """What is sent as an operation, and the field that is named."""
    for odd in NO_OBJECTS:
        yield odd, "operations.0"
        yield {"op": "create", "data": odd}, "operations.0.data"
        yield {"op": "update", "id": "a", "data": odd}, "operations.0.data"
    for odd in (*NO_TEXTS, None, "CREATE", "upsert", ""):
        yield {"op": odd}, "operations.0.op"
    for odd in (*NO_TEXTS, None, "a\0"):
        yield {"op": "delete", "id": odd}, "operations.0.id"
    for odd in (*NO_TEXTS, "é", "\N{ROCKET}", '"' * 5001, '"a', 'a"', "1-abc"):
        yield {"op": "delete", "id": "a", "ifMatch": odd}, "operations.0.ifMatch"
    yield {}, "operations.0.op"
    yield {"op": "create"}, "operations.0.data"
    yield {"op": "delete"}, "operations.0.id"
    yield {"op": "delete", "id": "a", "ifMatch": "x", "if_match": "y"}, "operations.0.ifMatch"
    yield {"op": "create", "id": "a", "data": new}, "operations.0.id"
    yield {"op": "delete", "id": "a", "data": {}}, "operations.0.data"
    yield {"op": "update", "id": "a", "data": {}, "if-match": "*"}, "operations.0.if-match"
    yield {"op": "create", "data": {**new, "title": "\0"}}, "operations.0.data.title"
    yield {"op": "create", "data": {**new, "tags": ["a", 1]}}, "operations.0.data.tags.1"
    yield {"op": "update", "id": "a", "data": {"priority": "urgent"}}, "operations.0.data.priority"


BODIES: Final[tuple[object, ...]] = (
    *NO_OBJECTS,
    {},
    {"operations": {}},
    {"operations": None},
    {"operations": []},
)


@BOTH
async def test_what_is_wrong_is_named_by_operation_and_field(
    client: httpx.AsyncClient, connection: Connection, rows: Resource
) -> None:
    await rows.make(client, 1)
    before = await rows.stored(connection)
    for operation, field in hostile(rows.new):
        answer = await client.post(rows.bulk, **escaped({"operations": [operation]}))
        assert answer.status_code == 400, (operation, answer.text)
        assert [each["field"] for each in answer.json()["details"]] == [field], (operation, answer.text)
    for body in BODIES:
        assert (await client.post(rows.bulk, **escaped(body))).status_code == 400, body
    deep = b'{"operations": [' + b'{"op":' * 2000 + b"1" + b"}" * 2000 + b"]}"
    headers = {"content-type": "application/json"}
    assert (await client.post(rows.bulk, content=deep, headers=headers)).status_code == 400
    text = json.dumps({"operations": [{"op": "delete", "id": "a"}]})
    assert (
        await client.post(rows.bulk, content=text, headers={"content-type": "text/plain"})
    ).status_code == 415
    for tag in ("*,", '"' * 5000, "W/", '"é"', '"\N{ROCKET}"'):
        answer = await rows.post(client, {"op": "delete", "id": "x" * 5000, "ifMatch": tag})
        assert answer.status_code == 404
    twice = await rows.post(client, {"op": "delete", "id": "a"}, {"op": "update", "id": "a", "data": {}})
    assert twice.json()["errors"] == ["operations.1.id: is that of operations.0 too; name each row once"]
    assert await rows.stored(connection) == before


@BOTH
async def test_hundreds_of_thousands_of_faults_keep_nobody_waiting(
    client: httpx.AsyncClient, rows: Resource
) -> None:
    garbage = {"op": "create", "data": {**rows.new, "tags": [1] * 1000}}
    began = time.process_time()
    body = json.dumps({"operations": [garbage] * 300}, separators=(",", ":"))
    refused = await client.post(rows.bulk, content=body, headers={"content-type": "application/json"})
    assert time.process_time() - began < 3
    assert refused.status_code == 400
    assert refused.json()["details"][0]["field"] == "operations.0.data.tags.0"
