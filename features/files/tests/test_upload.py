"""Uploads as published: one file, several, the form's other fields, and every way to be refused."""

import hashlib
import json
from pathlib import Path

import httpx
import pytest

from features.files.tests.factories import (
    FILES,
    FORM,
    PNG,
    SAMPLES,
    UPLOAD,
    UPLOAD_MULTIPLE,
    JsonObject,
    add_idea,
    add_system,
    form,
    send,
    stored_objects,
    upload,
)
from tests.fixtures.application import RunningApp
from tests.fixtures.database import Connection


async def test_an_upload_answers_with_its_metadata(
    client: httpx.AsyncClient, store: Path, connection: Connection
) -> None:
    await add_idea(connection, "idea-1")
    await add_system(connection, "system-1")
    fields = {"idea_id": "idea-1", "system_id": "system-1", "description": " A note ", "is_public": "true"}
    response = await send(client, "Notas ç.txt", b"text\n", actor="ada", **fields)
    assert response.status_code == 201
    body = response.json()
    assert body["success"] is True
    data = body["data"]
    assert response.headers["location"] == f"{FILES}/{data['id']}"
    created_at = data.pop("createdAt")
    assert created_at.endswith("Z")
    assert data == {
        "id": data["id"],
        "filename": "Notas ç.txt",
        "originalName": "Notas ç.txt",
        "mimetype": "text/plain",
        "size": 5,
        "checksum": hashlib.sha256(b"text\n").hexdigest(),
        "ideaId": "idea-1",
        "systemId": "system-1",
        "description": "A note",
        "isPublic": True,
        "downloadCount": 0,
        "uploadedBy": "ada",
    }
    [stored] = stored_objects(store)
    assert stored.read_bytes() == b"text\n"
    assert "Notas" not in str(stored)
    assert (await client.get(f"{FILES}/{data['id']}")).json()["data"] == {**data, "createdAt": created_at}


async def test_what_has_no_value_is_left_out(client: httpx.AsyncClient, store: Path) -> None:
    data = await upload(client, description="", idea_id="")
    assert {"ideaId", "systemId", "description", "updatedAt"}.isdisjoint(data)
    assert data["isPublic"] is False
    assert data["uploadedBy"] == "anonymous"


async def test_each_published_format_is_taken(client: httpx.AsyncClient, store: Path) -> None:
    for extension, content in SAMPLES.items():
        data = await upload(client, f"sample{extension.upper()}", content)
        download = await client.get(f"{FILES}/{data['id']}/download")
        assert download.content == content
        assert download.headers["content-type"] == data["mimetype"], extension


async def test_upload_info_is_in_snake_case(client: httpx.AsyncClient) -> None:
    assert (await client.get(f"{FILES}/upload-info")).json() == {
        "max_file_size": 52428800,
        "allowed_extensions": list(SAMPLES),
        "max_files_per_request": 5,
    }


async def test_fields_may_come_after_the_file(client: httpx.AsyncClient, store: Path) -> None:
    body = form(("file", "a.txt", b"x"), ("description", None, "später".encode()))
    response = await client.post(UPLOAD, content=body, headers=FORM)
    assert response.json()["data"]["description"] == "später"


async def test_an_upload_is_audited(client: httpx.AsyncClient, store: Path, connection: Connection) -> None:
    data = await upload(client, actor="ada")
    [entry] = await connection.fetch("SELECT * FROM audit_entries")
    assert (entry["entity"], entry["entity_id"]) == ("file", data["id"])
    assert (entry["action"], entry["actor"], entry["client"]) == ("created", "ada", "127.0.0.1")
    changes = json.loads(entry["changes"])
    assert changes["checksum"] == {"before": None, "after": data["checksum"]}
    assert "downloadCount" not in changes


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (form(), 'The form has no "file"'),
        (form(("file", None, b"text")), '"file" is not a file'),
        (form(("files", "a.txt", b"text")), 'Unexpected file "files"; files are sent as "file"'),
        (form(("file", "a.txt", b"a"), ("file", "b.txt", b"b")), "At most 1 file can be uploaded at once"),
        (form(("file", "a.txt", b"")), "File is empty"),
        (form(("file", "a.txt", b"text"))[:-8], "The form ends too early"),
        (
            form(("file", "a.txt", b"text"), ("description", None, b"x" * 5000)),
            '"description" is longer than 4096 bytes',
        ),
        (b"nonsense", "The form is malformed"),
    ],
)
async def test_an_unusable_form_is_refused(
    client: httpx.AsyncClient, store: Path, body: bytes, message: str
) -> None:
    response = await client.post(UPLOAD, content=body, headers=FORM)
    assert response.status_code == 400
    assert message in response.json()["message"]
    assert stored_objects(store) == []
    assert (await client.get(FILES)).json()["data"] == []


@pytest.mark.parametrize("kind", ["application/json", "multipart/form-data", "text/plain; boundary=x"])
async def test_what_is_no_form_is_of_the_wrong_media_type(client: httpx.AsyncClient, kind: str) -> None:
    response = await client.post(UPLOAD, content=b"{}", headers={"content-type": kind})
    assert response.status_code == 415
    assert response.json()["success"] is False


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"description": "x" * 501}, "description"),
        ({"is_public": "perhaps"}, "is_public"),
        ({"idea_id": "x" * 129}, "idea_id"),
        ({"system_id": "\0"}, "system_id"),
    ],
)
async def test_a_field_that_is_not_valid_is_named(
    client: httpx.AsyncClient, store: Path, fields: dict[str, str], field: str
) -> None:
    response = await send(client, "a.txt", b"text", **fields)
    assert response.status_code == 400
    assert [detail["field"] for detail in response.json()["details"]] == [field]
    assert stored_objects(store) == []


@pytest.mark.parametrize(
    ("field", "message"),
    [("idea_id", "Referenced idea not found"), ("system_id", "Referenced system not found")],
)
@pytest.mark.parametrize("path", [UPLOAD, UPLOAD_MULTIPLE])
async def test_a_file_of_something_unknown_is_refused(
    client: httpx.AsyncClient, store: Path, connection: Connection, path: str, field: str, message: str
) -> None:
    name = "file" if path == UPLOAD else "files"
    response = await client.post(
        path, files={name: ("a.txt", b"text")}, data={field: "00000000-0000-4000-8000-000000000000"}
    )
    assert response.status_code == 400
    assert (response.json()["message"], response.json()["details"][0]["field"]) == (message, field)
    assert stored_objects(store) == []
    assert await connection.fetchval("SELECT count(*) FROM audit_entries") == 0


async def test_a_file_of_exactly_the_limit_is_taken_and_a_larger_one_is_not(
    running_app: RunningApp, client: httpx.AsyncClient, store: Path
) -> None:
    async with running_app(files_max_bytes=300_000) as own:
        assert (await send(own, "a.txt", b"x" * 300_000)).status_code == 201
        response = await send(own, "b.txt", b"x" * 300_001)
        # Declared as larger than any form may be: refused before it is read.
        declared = await send(own, "c.txt", b"x" * 400_000)
    assert response.status_code == declared.status_code == 413
    assert response.json()["message"] == "File size exceeds the limit of 300000 bytes"
    assert declared.json()["success"] is False
    assert len(stored_objects(store)) == 1


async def test_several_files_are_a_bare_list(
    client: httpx.AsyncClient, store: Path, connection: Connection
) -> None:
    await add_system(connection, "s")
    parts = [("files", (f"{number}.txt", f"text {number}".encode())) for number in range(5)]
    response = await client.post(UPLOAD_MULTIPLE, files=parts, data={"system_id": "s", "is_public": "1"})
    assert response.status_code == 201
    data: list[JsonObject] = response.json()
    assert [each["filename"] for each in data] == [f"{number}.txt" for number in range(5)]
    assert all(each["isPublic"] and each["systemId"] == "s" for each in data)
    assert len(stored_objects(store)) == 5
    assert await connection.fetchval("SELECT count(*) FROM audit_entries WHERE entity = 'file'") == 5


async def test_one_file_of_several_may_fail(running_app: RunningApp, store: Path) -> None:
    parts = [
        ("files", ("good.txt", b"text")),
        ("files", ("large.txt", b"x" * 300_001)),
        ("files", ("wrong.png", b"text")),
        ("files", ("program.exe", b"MZ")),
        ("files", ("last.png", PNG)),
    ]
    async with running_app(files_max_bytes=300_000) as own:
        response = await own.post(UPLOAD_MULTIPLE, files=parts)
        listed = (await own.get(FILES)).json()
    assert response.status_code == 207
    body = response.json()
    assert body["success"] is True
    assert [each["filename"] for each in body["data"]] == ["good.txt", "last.png"]
    assert [each["filename"] for each in body["errors"]] == ["large.txt", "wrong.png", "program.exe"]
    large, wrong, program = (each["error"] for each in body["errors"])
    assert large == "File size exceeds the limit of 300000 bytes"
    assert "text/plain" in wrong
    assert ".png (image/png)" in wrong
    assert "File type .exe is not allowed" in program
    assert listed["count"] == 2
    assert len(stored_objects(store)) == 2


async def test_when_all_of_several_fail_nothing_is_made(client: httpx.AsyncClient, store: Path) -> None:
    parts = [("files", ("a.png", b"text")), ("files", ("b.exe", b"MZ"))]
    response = await client.post(UPLOAD_MULTIPLE, files=parts)
    assert response.status_code == 400
    body = response.json()
    assert [detail["field"] for detail in body["details"]] == ["a.png", "b.exe"]
    assert len(body["errors"]) == 2
    assert stored_objects(store) == []


async def test_a_sixth_file_refuses_them_all(client: httpx.AsyncClient, store: Path) -> None:
    parts = [("files", (f"{number}.txt", b"text")) for number in range(6)]
    response = await client.post(UPLOAD_MULTIPLE, files=parts)
    assert response.status_code == 400
    assert response.json()["message"] == "At most 5 files can be uploaded at once"
    assert stored_objects(store) == []
    assert (await client.get(FILES)).json()["total"] == 0


async def test_an_upload_is_seen_by_the_next_read(client: httpx.AsyncClient, store: Path) -> None:
    for expected in (1, 2):
        await upload(client)
        assert (await client.get(FILES)).json()["total"] == expected
        assert (await client.get(f"{FILES}/statistics")).json()["total"] == expected
