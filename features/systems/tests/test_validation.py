"""What is refused, with the field's name."""

import httpx
import pytest

from features.systems.tests.factories import PATH, JsonObject, create, new_system
from tests.fixtures.database import Connection
from tests.fixtures.refusals import assert_refused, escaped

NESTED: JsonObject = {}
for _ in range(40):
    NESTED = {"a": NESTED}

# (field, value, part of its message); they hold for creating and for updating.
REFUSED: list[tuple[str, object, str]] = [
    ("name", "", "must not be empty"),
    ("name", " \u2003", "must not be empty"),
    ("name", "x" * 201, "must have at most 200 characters"),
    ("name", None, "must be a string"),
    ("name", 1, "must be a string"),
    ("name", "a\0b", "NUL"),
    ("name", "\ud800", "surrogate"),
    ("description", "", "must not be empty"),
    ("description", None, "must be a string"),
    ("description", "\0", "NUL"),
    ("status", "error", "must be one of"),
    ("status", "unknown", "must be one of"),
    ("status", "", "must be one of"),
    ("status", None, "must be one of"),
    ("port", 0, "must be at least 1"),
    ("port", 65536, "must be at most 65535"),
    ("port", "web", "must be a whole number"),
    ("port", 1.5, "must be a whole number"),
    ("category", "x" * 201, "must have at most 200 characters"),
    ("category", 1, "must be a string"),
    ("owner", "\0", "NUL"),
    ("version", "\udfff", "surrogate"),
    ("icon", [], "must be a string"),
    ("type", "service", "must be one of"),
    ("tags", None, "must be a list"),
    ("tags", "a,b", "must be a list"),
    ("tags", ["x"] * 1001, "must have at most 1000 entries"),
    ("metadata", [], "must be an object"),
    ("metadata", "{}", "must be an object"),
    ("metadata", {"a": ["b\0"]}, "NUL"),
    ("metadata", {"a\0": 1}, "NUL"),
    ("metadata", {"a": {"b": "\ud800"}}, "surrogate"),
    ("metadata", {"a": 10**400}, "400 digits"),
    ("metadata", {"a": float("nan")}, "NaN"),
    ("metadata", {"a": float("-inf")}, "infinite"),
    ("metadata", NESTED, "deeper"),
    ("url", "launcher.example", "must begin with http:// or https://"),
    ("url", "ftp://launcher.example", "must begin with http:// or https://"),
    ("url", "javascript:alert(1)", "must begin with http:// or https://"),
    ("url", "http://", "must name a host"),
    ("url", "http://user:secret@launcher.example", "must not contain a user name or password"),
    ("url", "http://launcher.example:70000", "port between 1 and 65535"),
    ("url", "http://[::1", "must be a valid URL"),
    ("url", "http://a/" + "x" * 2048, "must have at most 2048 characters"),
    ("url", 5, "must be a string"),
]


@pytest.mark.parametrize(("field", "value", "message"), REFUSED, ids=lambda value: ascii(value)[:40])
async def test_a_wrong_field_is_refused(
    client: httpx.AsyncClient, connection: Connection, field: str, value: object, message: str
) -> None:
    assert_refused(await client.post(PATH, **escaped(new_system(**{field: value}))), field, message)
    assert await connection.fetchval("SELECT count(*) FROM systems") == 0
    system = await create(client)
    url = f"{PATH}/{system['id']}"
    assert_refused(await client.put(url, **escaped({field: value})), field, message)
    assert (await client.get(url)).json()["data"] == system


@pytest.mark.parametrize("field", ["name", "description", "status"])
async def test_a_required_field_is_required(client: httpx.AsyncClient, field: str) -> None:
    body = new_system()
    del body[field]
    assert_refused(await client.post(PATH, json=body), field, "is required")


@pytest.mark.parametrize("body", [None, [], "text", 1])
async def test_a_body_that_is_no_object_is_refused(client: httpx.AsyncClient, body: object) -> None:
    for method, url in (("POST", PATH), ("PUT", f"{PATH}/x")):
        assert (await client.request(method, url, **escaped(body))).status_code == 400


async def test_what_is_no_json_is_refused(client: httpx.AsyncClient) -> None:
    response = await client.post(PATH, content=b"{", headers={"content-type": "application/json"})
    assert (response.status_code, response.json()["message"]) == (400, "Malformed JSON")
    response = await client.post(PATH, content=b"{}", headers={"content-type": "text/plain"})
    assert response.status_code == 415
    assert (await client.post(PATH, json=new_system(description="x" * 1_048_600))).status_code == 413


async def test_a_name_is_taken_once(client: httpx.AsyncClient) -> None:
    first, second = await create(client, name="Launcher"), await create(client, name="launcher")
    responses = [
        await client.post(PATH, json=new_system(name=" Launcher ")),
        await client.put(f"{PATH}/{second['id']}", json={"name": "Launcher", "status": "offline"}),
    ]
    for response in responses:
        assert response.status_code == 409
        body = response.json()
        assert body["message"] == body["error"] == "System with name Launcher already exists"
        assert body["details"][0]["field"] == "name"
    assert (await client.get(PATH)).json()["data"] == [second, first]
    assert (await client.put(f"{PATH}/{first['id']}", json={"name": "Launcher"})).status_code == 200
    await client.delete(f"{PATH}/{first['id']}")
    assert (await client.post(PATH, json=new_system(name="Launcher"))).status_code == 201
