"""What the old clients rely on: paths, statuses, messages and shapes, to the letter."""

import json
import re
from datetime import UTC, datetime, timedelta
from urllib.parse import quote
from uuid import UUID

import httpx
import pytest

from features.items.tests.factories import create, legacy_record, new_item
from tests.fixtures.database import Connection

TO_ISO_STRING = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
FIELDS = ["id", "title", "description", "category", "priority", "status", "tags", "createdAt", "updatedAt"]


async def insert(connection: Connection, item_id: str, **changes: str) -> None:
    record = legacy_record(id=item_id, **changes)
    await connection.execute(
        "INSERT INTO items (id, title, description, category, priority, status, tags, created_at) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        *(record[field] for field in FIELDS[:7]),
        datetime.fromisoformat(record["createdAt"]),
    )


async def test_create_answers_201_with_the_whole_item(client: httpx.AsyncClient) -> None:
    before = datetime.now(UTC) - timedelta(milliseconds=1)
    response = await client.post("/api/items", json=new_item())
    body = response.json()
    assert response.status_code == 201
    assert list(body) == ["success", "message", "data"]
    assert body["success"] is True
    assert body["message"] == "Item created successfully"
    item = body["data"]
    assert list(item) == FIELDS
    assert {key: item[key] for key in new_item()} == new_item()
    assert item["status"] == "new"
    assert item["updatedAt"] is None
    assert str(UUID(item["id"])) == item["id"]
    assert TO_ISO_STRING.fullmatch(item["createdAt"])
    assert before <= datetime.fromisoformat(item["createdAt"]) <= datetime.now(UTC)
    assert response.headers["location"] == f"/api/items/{item['id']}"


async def test_texts_are_trimmed_tags_default_to_none_and_status_is_not_taken(
    client: httpx.AsyncClient,
) -> None:
    body = {"title": "  a b\t", "description": "\n c \ufeff", "category": "dashboard", "priority": "low"}
    response = await client.post(
        "/api/items",
        json={**body, "status": "completed", "id": "mine", "createdAt": "x", "unknown": {"a": 1}},
    )
    item = response.json()["data"]
    assert (item["title"], item["description"], item["tags"], item["status"]) == ("a b", "c", [], "new")
    assert item["id"] != "mine"
    assert "unknown" not in item


async def test_a_new_item_is_read_back_alone_and_in_the_list(client: httpx.AsyncClient) -> None:
    item = await create(client)
    one = await client.get(f"/api/items/{item['id']}")
    assert (one.status_code, one.json()) == (200, {"success": True, "data": item})
    listed = await client.get("/api/items")
    assert (listed.status_code, listed.json()) == (
        200,
        {"success": True, "count": 1, "total": 1, "data": [item]},
    )


async def test_an_empty_list(client: httpx.AsyncClient) -> None:
    response = await client.get("/api/items")
    assert response.json() == {"success": True, "count": 0, "total": 0, "data": []}


async def test_the_list_is_newest_first_and_ties_go_by_id(
    client: httpx.AsyncClient, connection: Connection
) -> None:
    for item_id, second in (("b", 1), ("a", 1), ("c", 2), ("A", 1), ("10", 0), ("9", 0)):
        await insert(connection, item_id, createdAt=f"2025-10-23T22:46:0{second}.000Z")
    listed = (await client.get("/api/items")).json()
    assert [item["id"] for item in listed["data"]] == ["c", "A", "a", "b", "10", "9"]
    assert listed["count"] == listed["total"] == 6


async def test_without_parameters_the_list_holds_every_item(
    client: httpx.AsyncClient, connection: Connection
) -> None:
    for number in range(1203):
        await insert(connection, f"i{number}")
    listed = (await client.get("/api/items")).json()
    assert listed["count"] == len(listed["data"]) == listed["total"] == 1203
    assert "nextCursor" not in listed


@pytest.mark.parametrize(
    "change",
    [
        {"title": "Other"},
        {"description": "Other"},
        {"category": "banco-dados"},
        {"priority": "low"},
        {"status": "in-progress"},
        {"tags": []},
        {"title": " x ", "status": "completed", "tags": ["a", "a", ""]},
    ],
)
async def test_update_changes_what_is_sent_and_nothing_else(
    client: httpx.AsyncClient, change: dict[str, object]
) -> None:
    item = await create(client)
    response = await client.put(f"/api/items/{item['id']}", json={**change, "id": "x", "unknown": 1})
    body = response.json()
    assert response.status_code == 200
    assert body["message"] == "Item updated successfully"
    expected = {**item, **change}
    if "title" in change:
        expected["title"] = str(change["title"]).strip()
    assert TO_ISO_STRING.fullmatch(body["data"]["updatedAt"])
    assert {**body["data"], "updatedAt": None} == expected
    assert (await client.get(f"/api/items/{item['id']}")).json()["data"] == body["data"]


async def test_an_empty_update_only_sets_updated_at_as_the_old_server_did(client: httpx.AsyncClient) -> None:
    item = await create(client)
    response = await client.put(f"/api/items/{item['id']}", json={})
    assert response.status_code == 200
    assert response.json()["data"]["updatedAt"] is not None
    assert {**response.json()["data"], "updatedAt": None} == item


async def test_delete_answers_with_the_item_and_it_is_gone(client: httpx.AsyncClient) -> None:
    item = await create(client)
    response = await client.delete(f"/api/items/{item['id']}")
    assert response.status_code == 200
    assert response.json() == {"success": True, "message": "Item deleted successfully", "data": item}
    assert (await client.get(f"/api/items/{item['id']}")).status_code == 404
    assert (await client.get("/api/items")).json()["data"] == []


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
@pytest.mark.parametrize(
    "item_id", ["nope", "a/b", "é 🚀", "%", "x" * 513, "a\0b", "..%2f", "'; DROP TABLE items; --", "?q=1#f"]
)
async def test_an_unknown_id_is_404_and_named(client: httpx.AsyncClient, method: str, item_id: str) -> None:
    body = {"title": "x"} if method == "PUT" else None
    response = await client.request(method, f"/api/items/{quote(item_id, safe='')}", json=body)
    message = f"Item with id {item_id} not found"
    assert response.status_code == 404
    assert response.json() == {"success": False, "message": message, "error": message, "errors": [message]}


async def test_bytes_that_are_no_text_are_an_unknown_id(client: httpx.AsyncClient) -> None:
    for escaped in ("%FF%FE", "%ED%A0%80", "a%C3"):
        response = await client.get(f"/api/items/{escaped}")
        assert response.status_code == 404
        assert response.json()["message"].startswith("Item with id ")


@pytest.mark.parametrize(
    "item_id",
    [
        "1",
        " ",
        "a/b",
        "/",
        "a/",
        "//",
        "a%2Fb",
        "%",
        "é",
        "e\u0301",
        "🚀",
        "\u202eabc",
        "a?b#c",
        "+",
        "..",
        "x" * 512,
        "null",
        "a\nb",
        "\x7f",
        "{id}",
        "a;b=c",
        '"',
        "\\",
    ],
)
async def test_old_ids_are_kept_and_found_to_the_character(
    client: httpx.AsyncClient, connection: Connection, item_id: str
) -> None:
    await insert(connection, item_id)
    url = f"/api/items/{quote(item_id, safe='').replace('.', '%2E')}"
    assert (await client.get(url)).json()["data"]["id"] == item_id
    updated = await client.put(url, json={"status": "completed"})
    assert updated.json()["data"]["id"] == item_id
    assert (await client.get(url)).json()["data"]["status"] == "completed"
    assert (await client.delete(url)).json()["data"]["id"] == item_id
    assert await connection.fetchval("SELECT count(*) FROM items") == 0


async def test_ids_that_look_alike_are_different_items(
    client: httpx.AsyncClient, connection: Connection
) -> None:
    for item_id in ("a", "A", "a ", "a/", "e\u0301", "é"):
        await insert(connection, item_id, title=f"the {item_id!r}")
    for item_id in ("a", "A", "a ", "a/", "e\u0301", "é"):
        response = await client.get(f"/api/items/{quote(item_id, safe='')}")
        assert response.json()["data"]["title"] == f"the {item_id!r}"


async def test_a_trailing_slash_means_nothing(client: httpx.AsyncClient) -> None:
    item = await create(client)
    assert (await client.get("/api/items/")).json()["data"] == [item]
    assert (await client.get(f"/api/items/{item['id']}/")).json()["data"] == item
    assert (await client.post("/api/items/", json=new_item())).status_code == 201


async def test_head_answers_like_get_without_a_body(client: httpx.AsyncClient) -> None:
    item = await create(client)
    for url in ("/api/items", f"/api/items/{item['id']}"):
        head, get = await client.head(url), await client.get(url)
        assert (head.status_code, head.content) == (200, b"")
        for header in ("content-length", "content-type", "etag"):
            assert head.headers[header] == get.headers[header]
    assert (await client.head("/api/items/nope")).status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/api/items", "GET, HEAD, POST"),
        ("DELETE", "/api/items", "GET, HEAD, POST"),
        ("POST", "/api/items/1", "GET, HEAD, PUT, DELETE"),
        ("PATCH", "/api/items/1", "GET, HEAD, PUT, DELETE"),
    ],
)
async def test_other_methods_are_405(client: httpx.AsyncClient, method: str, path: str, allowed: str) -> None:
    response = await client.request(method, path, json=new_item())
    assert response.status_code == 405
    assert response.json()["success"] is False
    assert set(response.headers["allow"].split(", ")) == set(allowed.split(", "))


async def test_problem_json_tells_the_same_facts(client: httpx.AsyncClient) -> None:
    response = await client.get("/api/items/nope", headers={"accept": "application/problem+json"})
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["detail"] == "Item with id nope not found"
    assert response.json()["status"] == 404
    assert response.json()["type"].endswith("items.not_found")


async def test_the_published_document_declares_every_answer(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    paths = document["paths"]
    assert set(paths["/api/items"]) == {"get", "post"}
    assert set(paths["/api/items/{id}"]) == {"get", "put", "delete"}
    declared = {
        (path, method): set(operation["responses"])
        for path in ("/api/items", "/api/items/{id}")
        for method, operation in paths[path].items()
    }
    assert declared["/api/items", "get"] >= {"200", "400", "429", "503"}
    assert declared["/api/items", "post"] >= {"201", "400", "409", "413", "415", "429", "503"}
    assert declared["/api/items/{id}", "put"] >= {"200", "400", "404", "413", "415", "429", "503"}
    assert declared["/api/items/{id}", "delete"] >= {"200", "404", "429", "503"}
    assert not any("422" in codes for codes in declared.values())
    parameters = {each["name"] for each in paths["/api/items"]["get"]["parameters"]}
    assert parameters >= {"limit", "offset", "cursor", "status", "category", "priority", "tag", "q"}
    [named] = [each for each in paths["/api/items/{id}"]["put"]["parameters"] if each["in"] == "path"]
    assert named["name"] == "id"
    schemas = document["components"]["schemas"]
    assert set(schemas["Item"]["example"]) == set(FIELDS)
    assert schemas["UpdateItem"].get("required", []) == []
    assert "null" not in json.dumps(schemas["UpdateItem"])
    assert sorted(schemas["CreateItem"]["required"]) == ["category", "description", "priority", "title"]
