"""Changes of metadata and removal: audited, one after the other, the object last."""

import asyncio
import json
from pathlib import Path

import httpx
import pytest

from features.files.tests.factories import (
    FILES,
    JsonObject,
    add_idea,
    add_system,
    stored_objects,
    upload,
)
from tests.fixtures.database import Connection


async def audit_of(connection: Connection, file_id: str) -> list[JsonObject]:
    rows = await connection.fetch("SELECT * FROM audit_entries WHERE entity_id = $1 ORDER BY id", file_id)
    return [{**row, "changes": json.loads(row["changes"])} for row in rows]


async def test_an_update_changes_what_is_sent(
    client: httpx.AsyncClient, store: Path, connection: Connection
) -> None:
    await add_idea(connection, "idea")
    await add_system(connection, "system")
    before = await upload(client, description="Before")
    url = f"{FILES}/{before['id']}"
    values = {"description": "After", "is_public": True, "system_id": "system", "idea_id": "idea", "size": 1}
    response = await client.put(url, json=values, headers={"x-user-id": "ada"})
    assert response.status_code == 200
    after = response.json()["data"]
    assert after == {
        **before,
        "description": "After",
        "isPublic": True,
        "systemId": "system",
        "ideaId": "idea",
        "updatedAt": after["updatedAt"],
    }
    assert (await client.get(url)).json()["data"] == after
    _, updated = await audit_of(connection, before["id"])
    assert (updated["action"], updated["actor"]) == ("updated", "ada")
    assert updated["changes"] == {
        "ideaId": {"before": None, "after": "idea"},
        "systemId": {"before": None, "after": "system"},
        "description": {"before": "Before", "after": "After"},
        "isPublic": {"before": False, "after": True},
        "updatedAt": {"before": None, "after": after["updatedAt"]},
    }


async def test_null_takes_a_value_away(
    client: httpx.AsyncClient, store: Path, connection: Connection
) -> None:
    await add_idea(connection, "idea")
    file = await upload(client, description="Before", idea_id="idea")
    response = await client.put(f"{FILES}/{file['id']}", json={"description": None, "idea_id": None})
    assert {"description", "ideaId"}.isdisjoint(response.json()["data"])
    await client.put(f"{FILES}/{file['id']}", json={"description": "Again"})
    response = await client.put(f"{FILES}/{file['id']}", json={"description": " "})
    assert "description" not in response.json()["data"]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"description": "x" * 501}, "Validation failed"),
        ({"description": 1}, "Validation failed"),
        ({"is_public": None}, "Validation failed"),
        ({"is_public": "perhaps"}, "Validation failed"),
        ({"idea_id": ""}, "Validation failed"),
        ({"idea_id": "00000000-0000-4000-8000-000000000000"}, "Referenced idea not found"),
        ({"system_id": "00000000-0000-4000-8000-000000000000"}, "Referenced system not found"),
        ([], "Validation failed"),
    ],
)
async def test_a_refused_update_changes_nothing(
    client: httpx.AsyncClient, store: Path, values: object, message: str
) -> None:
    file = await upload(client)
    response = await client.put(f"{FILES}/{file['id']}", json=values)
    assert response.status_code == 400
    assert response.json()["message"] == message
    assert (await client.get(f"{FILES}/{file['id']}")).json()["data"] == file


async def test_a_deleted_file_is_gone_with_its_object(
    client: httpx.AsyncClient, store: Path, connection: Connection
) -> None:
    file = await upload(client)
    url = f"{FILES}/{file['id']}"
    response = await client.delete(url, headers={"x-user-id": "bob"})
    assert response.status_code == 200
    assert response.json() == {"success": True, "message": "File deleted successfully", "data": file}
    assert stored_objects(store) == []
    for again in (await client.get(url), await client.delete(url), await client.get(f"{url}/download")):
        assert again.status_code == 404
        assert again.json()["message"] == f"File with id {file['id']} not found"
    assert (await client.put(url, json={})).status_code == 404
    assert (await client.get(FILES)).json()["total"] == 0
    _, deleted = await audit_of(connection, file["id"])
    assert (deleted["action"], deleted["actor"]) == ("deleted", "bob")
    assert deleted["changes"]["checksum"] == {"before": file["checksum"], "after": None}


async def test_writers_of_one_file_lose_nothing(
    client: httpx.AsyncClient, store: Path, connection: Connection
) -> None:
    file = await upload(client)
    url = f"{FILES}/{file['id']}"
    updates = [client.put(url, json={"description": f"{number}"}) for number in range(20)]
    downloads = [client.get(f"{url}/download") for _ in range(20)]
    responses = await asyncio.gather(*updates, *downloads)
    assert {response.status_code for response in responses} == {200}
    assert (await client.get(url)).json()["data"]["downloadCount"] == 20
    assert await connection.fetchval("SELECT row_version FROM files") == 21
    assert len(await audit_of(connection, file["id"])) == 21


async def test_of_many_writers_who_have_seen_the_same_one_is_heard(
    client: httpx.AsyncClient, store: Path
) -> None:
    file = await upload(client)
    url = f"{FILES}/{file['id']}"
    seen = {"if-match": (await client.get(url)).headers["etag"]}
    # What is downloaded meanwhile is no change.
    await client.get(f"{url}/download")
    writes = [client.put(url, json={"description": f"{number}"}, headers=seen) for number in range(8)]
    answers = await asyncio.gather(*writes, client.delete(url, headers=seen))
    codes = [answer.status_code for answer in answers]
    assert codes.count(200) == 1
    assert set(codes) <= {200, 404, 412}


@pytest.mark.parametrize(
    "tag",
    ['"0-x"', '"1-x"', '"1-"', '"1-0123456789abcdef.0"', '"99999999999999999999-x"', '"1"', '".0"'],
)
async def test_another_tag_is_not_the_files(client: httpx.AsyncClient, store: Path, tag: str) -> None:
    file = await upload(client)
    url = f"{FILES}/{file['id']}"
    for answer in (
        await client.put(url, json={}, headers={"if-match": tag}),
        await client.delete(url, headers={"if-match": tag}),
    ):
        assert answer.status_code == 412
        assert answer.json()["message"] == f"File with id {file['id']} was changed meanwhile: read it again"
    seen = (await client.get(url)).headers["etag"]
    assert (await client.put(url, json={}, headers={"if-match": f"{tag}, {seen}"})).status_code == 200


async def test_a_download_changes_the_tag_and_not_what_a_writer_has_seen(
    client: httpx.AsyncClient, store: Path
) -> None:
    url = f"{FILES}/{(await upload(client))['id']}"
    seen = (await client.get(url)).headers["etag"]
    await client.get(f"{url}/download")
    again = await client.get(url, headers={"if-none-match": seen})
    assert (again.status_code, again.json()["data"]["downloadCount"]) == (200, 1)
    assert (await client.put(url, json={"description": "x"}, headers={"if-match": seen})).status_code == 200
    assert (await client.put(url, json={"description": "y"}, headers={"if-match": seen})).status_code == 412


@pytest.mark.parametrize(("path", "link"), [("systems", "systemId"), ("ideas", "ideaId")])
async def test_a_file_that_loses_its_link_has_changed(
    client: httpx.AsyncClient, store: Path, path: str, link: str
) -> None:
    system = {"name": "S", "description": "x", "status": "online"}
    idea = {"title": "T", "description": "x", "category": "docs", "priority": "low"}
    ids = {
        "systemId": (await client.post("/api/v1/systems", json=system)).json()["data"]["id"],
        "ideaId": (await client.post("/api/v1/ideas", json=idea)).json()["data"]["id"],
    }
    file = await upload(client, idea_id=ids["ideaId"], system_id=ids["systemId"])
    url = f"{FILES}/{file['id']}"
    before = {"if-match": (await client.get(url)).headers["etag"]}
    lists = (FILES, f"{FILES}/{path[:-1]}/{ids[link]}")
    for each in lists:
        assert (await client.get(each)).status_code == 200
    deleted = await client.delete(f"/api/v1/{path}/{ids[link]}", headers={"x-user-id": "bob"})
    assert deleted.status_code == 200

    for refused in (
        await client.put(url, json={"description": "x"}, headers=before),
        await client.delete(url, headers=before),
    ):
        assert refused.status_code == 412
    now = (await client.get(url)).json()["data"]
    assert now == {name: value for name, value in file.items() if name != link}
    shown = [(await client.get(each)).json() for each in lists]
    assert shown[0]["data"] == [now]
    assert shown[1] == []
    newest, *_ = (await client.get("/api/v1/audit", params={"entity": "file"})).json()["data"]
    assert (newest["entityId"], newest["action"], newest["user"]) == (file["id"], "updated", "bob")
    assert newest["changes"] == {link: {"before": ids[link], "after": None}}
    after = {"if-match": (await client.get(url)).headers["etag"]}
    assert (await client.put(url, json={"description": "x"}, headers=after)).status_code == 200


async def test_deletes_and_downloads_at_once(client: httpx.AsyncClient, store: Path) -> None:
    file = await upload(client)
    url = f"{FILES}/{file['id']}"
    deletes = [client.delete(url) for _ in range(5)]
    downloads = [client.get(f"{url}/download") for _ in range(10)]
    responses = await asyncio.gather(*downloads, *deletes)
    assert [response.status_code for response in responses[10:]].count(200) == 1
    for response in responses[:10]:
        assert response.status_code in (200, 404)
        if response.status_code == 200:
            assert response.content == b"some notes\n"
        else:
            assert response.json()["message"] == f"File with id {file['id']} not found"
    assert stored_objects(store) == []


async def test_the_database_holds_a_file_to_its_shape(connection: Connection) -> None:
    import asyncpg

    columns = {
        "filename": "a.txt",
        "original_name": "a.txt",
        "mime_type": "text/plain",
        "size_bytes": 1,
        "checksum": "0" * 64,
        "object_key": "key",
        "uploaded_by": "ada",
    }
    wrong: list[tuple[str, object]] = [
        ("filename", "a/b.txt"),
        ("filename", "a\nb.txt"),
        ("filename", "x" * 256),
        ("original_name", ""),
        ("mime_type", "text/html; x"),
        ("size_bytes", -1),
        ("checksum", "0"),
        ("uploaded_by", ""),
    ]
    statement = f"INSERT INTO files (id, {', '.join(columns)}) VALUES ('1', $1, $2, $3, $4, $5, $6, $7)"
    for name, value in wrong:
        with pytest.raises(asyncpg.CheckViolationError):
            await connection.execute(statement, *{**columns, name: value}.values())
    await connection.execute(statement, *columns.values())
