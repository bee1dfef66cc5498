"""The published contract: paths, shapes, statuses."""

import re
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from features.systems.tests.factories import PATH, JsonObject, create, new_system, seed
from tests.fixtures.database import Connection

ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


async def test_a_system_with_the_required_fields_alone(client: httpx.AsyncClient) -> None:
    body = {"name": " Launcher ", "description": " Starts services ", "status": "online"}
    response = await client.post(PATH, json=body)
    assert response.status_code == 201
    answer = response.json()
    system = answer["data"]
    assert (answer["success"], answer["message"]) == (True, "System created successfully")
    assert response.headers["location"] == f"{PATH}/{system['id']}"
    assert ISO.fullmatch(system.pop("createdAt"))
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", system.pop("id"))
    assert system == {
        "name": "Launcher",
        "description": "Starts services",
        "status": "online",
        "tags": [],
    }


async def test_every_field_comes_back_as_it_was_sent(client: httpx.AsyncClient) -> None:
    body = new_system(
        status="planned",
        port=3500,
        category="operations",
        tags=["core", "é,", '{"x"}', ""],
        type="webapp",
        url="https://launcher.example/health?a=b",
        owner="maría",
        version="1.2.3-beta",
        metadata={"z": [1, 2.5, None, {"deep": True}], "a": "ção", "": -0.0, "big": 999_999_999_999_999},
        icon="rocket",
        color="#ff8800",
        host="desk-1.example",
    )
    created = await create(client, **body)
    assert created.items() >= body.items()
    assert (await client.get(f"{PATH}/{created['id']}")).json() == {"success": True, "data": created}
    assert (await client.get(PATH)).json()["data"] == [created]


async def test_what_only_a_check_may_say_is_ignored(client: httpx.AsyncClient) -> None:
    system = await create(
        client,
        id="mine",
        lastChecked="2025-01-01T00:00:00.000Z",
        responseTimeMs=5,
        createdAt="2001-01-01T00:00:00Z",
        rowVersion=9,
        anything="else",
    )
    assert {"lastChecked", "responseTimeMs", "updatedAt", "anything"}.isdisjoint(system)
    assert system["id"] != "mine"
    assert not system["createdAt"].startswith("2001")


async def test_null_and_the_empty_text_mean_no_value(client: httpx.AsyncClient) -> None:
    empty = dict.fromkeys(("category", "url", "owner", "version", "icon", "color", "host", "type"), " ")
    system = await create(client, **empty, port=None, metadata=None)
    assert set(system) == {"id", "name", "description", "status", "tags", "createdAt"}


async def test_an_update_changes_what_is_sent(client: httpx.AsyncClient) -> None:
    system = await create(client, port=1, owner="maría", tags=["a"], metadata={"a": 1})
    response = await client.put(
        f"{PATH}/{system['id']}", json={"status": "offline", "owner": None, "port": 2}
    )
    assert response.status_code == 200
    answer = response.json()
    assert (answer["success"], answer["message"]) == (True, "System updated successfully")
    updated = answer["data"]
    assert (await client.get(f"{PATH}/{system['id']}")).json()["data"] == updated
    assert ISO.fullmatch(updated.pop("updatedAt"))
    expected = {**system, "status": "offline", "port": 2}
    del expected["owner"]
    assert updated == expected


async def test_the_whole_object_can_be_sent_back(client: httpx.AsyncClient) -> None:
    """Old clients send all that they were given."""
    system = await create(client, port=1, owner="maría", metadata={"a": {"b": []}})
    response = await client.put(f"{PATH}/{system['id']}", json=system)
    assert response.status_code == 200
    assert {**response.json()["data"], "updatedAt": None} == {**system, "updatedAt": None}


async def test_an_empty_update_sets_the_time(client: httpx.AsyncClient) -> None:
    system = await create(client)
    updated = (await client.put(f"{PATH}/{system['id']}", json={})).json()["data"]
    assert ISO.fullmatch(updated.pop("updatedAt"))
    assert updated == system


async def test_metadata_can_be_replaced_and_removed(client: httpx.AsyncClient) -> None:
    system = await create(client, metadata={"a": 1})
    url = f"{PATH}/{system['id']}"
    assert (await client.put(url, json={"metadata": {"b": 2}})).json()["data"]["metadata"] == {"b": 2}
    assert (await client.put(url, json={"metadata": {}})).json()["data"]["metadata"] == {}
    assert "metadata" not in (await client.put(url, json={"metadata": None})).json()["data"]


async def test_a_deleted_system_is_shown_once_more(client: httpx.AsyncClient) -> None:
    system = await create(client)
    response = await client.delete(f"{PATH}/{system['id']}")
    assert response.status_code == 200
    assert response.json() == {"success": True, "message": "System removed successfully", "data": system}
    assert (await client.get(f"{PATH}/{system['id']}")).status_code == 404


async def test_ideas_and_files_of_a_deleted_system_lose_their_link(
    client: httpx.AsyncClient, connection: Connection
) -> None:
    system = await create(client)
    await connection.execute(
        "INSERT INTO ideas (id, title, description, category, priority, system_id) "
        "VALUES ('i', 'Idea', 'Text', 'api', 'low', $1)",
        system["id"],
    )
    await connection.execute(
        "INSERT INTO files (id, filename, original_name, mime_type, size_bytes, checksum, object_key, "
        "system_id, uploaded_by) VALUES ('f', 'a', 'a', 'text/plain', 1, repeat('a', 64), 'k', $1, 'me')",
        system["id"],
    )
    assert (await client.delete(f"{PATH}/{system['id']}")).status_code == 200
    for table in ("ideas", "files"):
        assert await connection.fetchval(f"SELECT count(*) FROM {table} WHERE system_id IS NULL") == 1


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "POST"])
@pytest.mark.parametrize("system_id", ["nope", "00000000-0000-4000-8000-000000000000", "x" * 200, "a%00b"])
async def test_an_unknown_system(client: httpx.AsyncClient, method: str, system_id: str) -> None:
    url = f"{PATH}/{system_id}" + ("/health" if method == "POST" else "")
    response = await client.request(method, url, json={} if method == "PUT" else None)
    assert response.status_code == 404
    body = response.json()
    assert body["message"] == body["error"] == f"System with id {system_id.replace('%00', chr(0))} not found"


async def test_the_list_is_newest_first_and_complete(
    client: httpx.AsyncClient, connection: Connection
) -> None:
    await seed(connection, 250)
    body = (await client.get(PATH)).json()
    assert (body["success"], body["count"], body["total"]) == (True, 250, 250)
    order = [(-datetime.fromisoformat(each["createdAt"]).timestamp(), each["id"]) for each in body["data"]]
    assert order == sorted(order)
    assert len({each["id"] for each in body["data"]}) == 250


@pytest.mark.parametrize("path", ["", "/status/online", "/type/api", "/search?q=nothing"])
async def test_nothing_to_list(client: httpx.AsyncClient, path: str) -> None:
    expected: object = [] if path else {"success": True, "count": 0, "total": 0, "data": []}
    response = await client.get(PATH + path)
    assert (response.status_code, response.json()) == (200, expected)


async def test_systems_by_status_in_both_vocabularies(
    client: httpx.AsyncClient, connection: Connection
) -> None:
    ids = {
        status: (await create(client, status=status))["id"] for status in ("online", "offline", "degraded")
    }
    ids["planned"] = (await create(client, status="planned"))["id"]
    await connection.execute("UPDATE systems SET last_checked = now() WHERE status <> 'planned'")
    for status, system_id in ids.items():
        found: list[JsonObject] = (await client.get(f"{PATH}/status/{status}")).json()
        assert [each["id"] for each in found] == [system_id]
    assert (await client.get(f"{PATH}/status/error")).json()[0]["id"] == ids["degraded"]
    assert (await client.get(f"{PATH}/status/unknown")).json()[0]["id"] == ids["planned"]


async def test_systems_by_type(client: httpx.AsyncClient) -> None:
    systems = {kind: await create(client, type=kind) for kind in ("api", "webapp", "docs", "tool")}
    await create(client)
    for kind, system in systems.items():
        assert (await client.get(f"{PATH}/type/{kind}")).json() == [system]


@pytest.mark.parametrize(
    "path", ["/status/done", "/status/ONLINE", "/type/service", "/search", "/search?q=a", "/search?q=%20a%20"]
)
async def test_a_wrong_parameter_is_400(client: httpx.AsyncClient, path: str) -> None:
    response = await client.get(PATH + path)
    assert response.status_code == 400
    assert response.json()["success"] is False


async def test_statistics_are_published_without_an_envelope(
    client: httpx.AsyncClient, connection: Connection
) -> None:
    empty = {"online": 0, "offline": 0, "error": 0, "planned": 0}
    assert (await client.get(f"{PATH}/statistics")).json() == {
        "total": 0,
        "byStatus": empty,
        "byType": {"api": 0, "webapp": 0, "docs": 0, "tool": 0},
    }
    await create(client, type="api", status="degraded")
    await create(client, type="api")
    await create(client, type="tool", status="planned")
    last = await create(client, status="offline")
    checked = datetime(2025, 6, 1, tzinfo=UTC)
    await connection.execute("UPDATE systems SET last_checked = $1", checked)
    await connection.execute(
        "UPDATE systems SET last_checked = $1 WHERE id = $2", checked + timedelta(seconds=1), last["id"]
    )
    await client.put(f"{PATH}/{last['id']}", json={})
    response = await client.get(f"{PATH}/statistics")
    assert response.json() == {
        "total": 4,
        "byStatus": {"online": 1, "offline": 1, "error": 1, "planned": 1},
        "byType": {"api": 2, "webapp": 0, "docs": 0, "tool": 1},
        "lastChecked": "2025-06-01T00:00:01.000Z",
    }
    assert '"1 query"' in response.headers["server-timing"]
