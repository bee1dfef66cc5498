"""What clients rely on: paths, statuses, messages and shapes, to the letter."""

import re
from datetime import UTC, datetime, timedelta
from urllib.parse import quote
from uuid import UUID

import httpx
import pytest

from features.ideas.tests.factories import (
    CATEGORIES,
    IDEAS,
    PRIORITIES,
    STATUSES,
    add_system,
    create,
    full_idea,
    new_idea,
    update,
)
from tests.fixtures.database import Connection

TO_ISO_STRING = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
LEAST = ["id", "title", "description", "category", "priority", "status", "tags", "createdBy", "createdAt"]
FULL = [
    *LEAST[:7],
    *("systemId", "system", "assignedTo", "createdBy", "estimatedHours", "actualHours", "dueDate"),
    *("completedAt", "createdAt", "updatedAt"),
]


async def test_create_answers_201_with_the_idea_and_no_field_without_a_value(
    client: httpx.AsyncClient,
) -> None:
    before = datetime.now(UTC) - timedelta(milliseconds=1)
    response = await client.post(IDEAS, json=new_idea(), headers={"x-user-id": "ana"})
    body = response.json()
    assert response.status_code == 201
    assert list(body) == ["success", "message", "data"]
    assert body["success"] is True
    assert body["message"] == "Idea created successfully"
    idea = body["data"]
    assert list(idea) == LEAST
    assert {key: idea[key] for key in new_idea()} == new_idea()
    assert (idea["status"], idea["createdBy"]) == ("new", "ana")
    assert str(UUID(idea["id"])) == idea["id"]
    assert TO_ISO_STRING.fullmatch(idea["createdAt"])
    assert before <= datetime.fromisoformat(idea["createdAt"]) <= datetime.now(UTC)
    assert response.headers["location"] == f"{IDEAS}/{idea['id']}"


async def test_every_field_is_kept_and_read_back_with_the_systems_name(
    client: httpx.AsyncClient, connection: Connection
) -> None:
    system_id = await add_system(connection, "Orders API")
    sent = full_idea(system_id)
    idea = await create(client, **sent)
    idea = await update(client, idea["id"], status="completed")
    assert list(idea) == FULL
    assert {key: idea[key] for key in sent} == sent
    assert idea["system"] == {"id": system_id, "name": "Orders API"}
    one = (await client.get(f"{IDEAS}/{idea['id']}")).json()
    listed = (await client.get(IDEAS)).json()
    board = (await client.get(f"{IDEAS}/kanban")).json()
    assert one == {"success": True, "data": idea}
    assert listed == {"success": True, "count": 1, "total": 1, "data": [idea]}
    assert board["completed"] == [idea]


async def test_texts_are_trimmed_and_unknown_fields_ignored(client: httpx.AsyncClient) -> None:
    body = {"title": "  a b\t", "description": "\n c \ufeff", "category": "api", "priority": "low"}
    extra = {"id": "mine", "createdAt": "x", "completedAt": "x", "unknown": {"a": 1}}
    idea = (await client.post(IDEAS, json={**body, **extra})).json()["data"]
    assert (idea["title"], idea["description"], idea["tags"]) == ("a b", "c", [])
    assert idea["id"] != "mine"
    assert not {"unknown", "completedAt", "systemId"} & set(idea)


@pytest.mark.parametrize(
    ("field", "values"), [("status", STATUSES), ("category", CATEGORIES), ("priority", PRIORITIES)]
)
async def test_every_published_word_is_taken(
    client: httpx.AsyncClient, field: str, values: list[str]
) -> None:
    for value in values:
        assert (await create(client, **{field: value}))[field] == value
        idea = await create(client)
        assert (await update(client, idea["id"], **{field: value}))[field] == value


async def test_an_empty_list_and_an_empty_board(client: httpx.AsyncClient) -> None:
    assert (await client.get(IDEAS)).json() == {"success": True, "count": 0, "total": 0, "data": []}
    board = await client.get(f"{IDEAS}/kanban")
    assert (board.status_code, board.json()) == (200, {status: [] for status in STATUSES})
    assert list(board.json()) == STATUSES


async def test_the_board_has_six_lists_newest_first(
    client: httpx.AsyncClient, connection: Connection
) -> None:
    system_id = await add_system(connection, "Orders API")
    made = [await create(client, status=STATUSES[number % 6], systemId=system_id) for number in range(13)]
    # Two of one status in one millisecond: ties go by id.
    twins = sorted((made[0]["id"], made[6]["id"]))
    await connection.execute("UPDATE ideas SET created_at = '2030-01-01' WHERE id = ANY($1)", twins)
    board = (await client.get(f"{IDEAS}/kanban")).json()
    assert list(board) == STATUSES
    for status in STATUSES[1:]:
        expected = [idea["id"] for idea in reversed(made) if idea["status"] == status]
        assert [idea["id"] for idea in board[status]] == expected
    assert [idea["id"] for idea in board["new"]] == [*twins, made[12]["id"]]
    assert all(idea["system"]["name"] == "Orders API" for ideas in board.values() for idea in ideas)


@pytest.mark.parametrize(
    "change",
    [
        {"title": "Other"},
        {"description": "Other"},
        {"category": "api"},
        {"priority": "low"},
        {"status": "triage"},
        {"tags": []},
        {"assignedTo": "bob"},
        {"estimatedHours": 1},
        {"estimatedHours": 1000},
        {"actualHours": 10000},
        {"actualHours": 0.25},
        {"dueDate": "2031-01-01T00:00:00.000Z"},
        {"title": " x ", "status": "rejected", "tags": ["a", "a", ""]},
    ],
)
async def test_update_changes_what_is_sent_and_nothing_else(
    client: httpx.AsyncClient, connection: Connection, change: dict[str, object]
) -> None:
    idea = await create(client, **full_idea(await add_system(connection, "Orders API")))
    ignored = {"id": "x", "createdBy": "x", "createdAt": "x", "unknown": 1}
    response = await client.put(f"{IDEAS}/{idea['id']}", json={**change, **ignored})
    body = response.json()
    assert response.status_code == 200
    assert body["success"] is True
    assert body["message"] == "Idea updated successfully"
    expected = {**idea, **change}
    if "title" in change:
        expected["title"] = str(change["title"]).strip()
    assert TO_ISO_STRING.fullmatch(body["data"].pop("updatedAt"))
    assert body["data"] == expected
    read = (await client.get(f"{IDEAS}/{idea['id']}")).json()["data"]
    assert {key: read[key] for key in expected} == expected


async def test_null_empties_a_field_that_may_be_empty(
    client: httpx.AsyncClient, connection: Connection
) -> None:
    idea = await create(client, **full_idea(await add_system(connection, "Orders API")))
    fields = ["systemId", "assignedTo", "estimatedHours", "actualHours", "dueDate"]
    changed = await update(client, idea["id"], **dict.fromkeys(fields))
    gone = {*fields, "system"}
    assert changed == {
        **{key: value for key, value in idea.items() if key not in gone},
        "updatedAt": changed["updatedAt"],
    }
    made = await create(client, **dict.fromkeys([*fields, "createdBy"]))
    assert list(made) == LEAST
    assert made["createdBy"] == "anonymous"


async def test_an_empty_update_only_sets_updated_at(client: httpx.AsyncClient) -> None:
    idea = await create(client)
    changed = await update(client, idea["id"])
    assert TO_ISO_STRING.fullmatch(changed.pop("updatedAt"))
    assert changed == idea


async def test_a_system_is_linked_moved_and_unlinked(
    client: httpx.AsyncClient, connection: Connection
) -> None:
    first, second = await add_system(connection, "First"), await add_system(connection, "Second")
    idea = await create(client)
    for system_id, name in ((first, "First"), (second, "Second")):
        changed = await update(client, idea["id"], systemId=system_id)
        assert (changed["systemId"], changed["system"]) == (system_id, {"id": system_id, "name": name})
        assert (await update(client, idea["id"], title="x"))["system"]["name"] == name
    assert "systemId" not in await update(client, idea["id"], systemId=None)


@pytest.mark.parametrize("system_id", ["nope", "", " ", "6ff3a1c2-0d0b-4b0e-9a51-6f0d7a3b8f11", "'; --"])
async def test_an_unknown_system_is_400(client: httpx.AsyncClient, system_id: str) -> None:
    idea = await create(client)
    for response in (
        await client.post(IDEAS, json=new_idea(systemId=system_id)),
        await client.put(f"{IDEAS}/{idea['id']}", json={"title": "changed", "systemId": system_id}),
    ):
        body = response.json()
        assert response.status_code == 400
        assert body["message"] == body["error"] == "Referenced system not found"
        assert [(detail["field"], detail["value"]) for detail in body["details"]] == [("systemId", system_id)]
    assert (await client.get(IDEAS)).json()["data"] == [idea]


async def test_delete_answers_with_the_idea_and_it_is_gone(
    client: httpx.AsyncClient, connection: Connection
) -> None:
    idea = await create(client, **full_idea(await add_system(connection, "Orders API")))
    response = await client.delete(f"{IDEAS}/{idea['id']}")
    assert response.status_code == 200
    assert response.json() == {"success": True, "message": "Idea removed successfully", "data": idea}
    assert (await client.get(f"{IDEAS}/{idea['id']}")).status_code == 404
    assert (await client.get(IDEAS)).json()["data"] == []


async def test_deleting_an_idea_keeps_its_files(client: httpx.AsyncClient, connection: Connection) -> None:
    idea = await create(client)
    await connection.execute(
        "INSERT INTO files (id, filename, original_name, mime_type, size_bytes, checksum, object_key, "
        "uploaded_by, idea_id) VALUES ('f', 'a.txt', 'a.txt', 'text/plain', 1, $1, 'k', 'ana', $2)",
        "0" * 64,
        idea["id"],
    )
    assert (await client.delete(f"{IDEAS}/{idea['id']}")).status_code == 200
    assert await connection.fetchval("SELECT idea_id IS NULL FROM files WHERE id = 'f'")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
@pytest.mark.parametrize(
    "idea_id", ["nope", "é 🚀", "%", "x" * 129, "a\0b", "'; DROP TABLE ideas; --", "?q=1"]
)
async def test_an_unknown_id_is_404_and_named(client: httpx.AsyncClient, method: str, idea_id: str) -> None:
    body = {"title": "x"} if method == "PUT" else None
    response = await client.request(method, f"{IDEAS}/{quote(idea_id, safe='')}", json=body)
    message = f"Idea with id {idea_id} not found"
    assert response.status_code == 404
    assert response.json() == {"success": False, "message": message, "error": message, "errors": [message]}


async def test_bytes_that_are_no_text_are_not_found(client: httpx.AsyncClient) -> None:
    for escaped in ("%FF%FE", "%ED%A0%80", "a%C3", "a%2Fb"):
        for method in ("GET", "DELETE"):
            assert (await client.request(method, f"{IDEAS}/{escaped}")).status_code == 404


async def test_a_trailing_slash_means_nothing_and_head_has_no_body(client: httpx.AsyncClient) -> None:
    idea = await create(client)
    assert (await client.get(f"{IDEAS}/")).json()["data"] == [idea]
    assert (await client.get(f"{IDEAS}/{idea['id']}/")).json()["data"] == idea
    assert (await client.post(f"{IDEAS}/", json=new_idea())).status_code == 201
    for url in (IDEAS, f"{IDEAS}/kanban", f"{IDEAS}/{idea['id']}"):
        head, get = await client.head(url), await client.get(url)
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["etag"] == get.headers["etag"]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", IDEAS, {"GET", "HEAD", "POST"}),
        ("DELETE", IDEAS, {"GET", "HEAD", "POST"}),
        ("POST", f"{IDEAS}/1", {"GET", "HEAD", "PUT", "DELETE"}),
        ("PATCH", f"{IDEAS}/1", {"GET", "HEAD", "PUT", "DELETE"}),
    ],
)
async def test_other_methods_are_405(
    client: httpx.AsyncClient, method: str, path: str, allowed: set[str]
) -> None:
    response = await client.request(method, path, json=new_idea())
    assert response.status_code == 405
    assert response.json()["success"] is False
    assert set(response.headers["allow"].split(", ")) == allowed
