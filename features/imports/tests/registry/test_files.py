"""Files of an old registry: their bytes, where they may come from, and what becomes of unusual ones."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from core.database.client import Database
from core.settings import Settings
from features.files import api as files
from features.imports.tests.registry.conftest import Job, Takeover
from features.imports.tests.registry.factories import FILES, NOON, export, file, idea, system

if TYPE_CHECKING:
    import asyncpg

GUIDE = "# Paginação\n\nUse zurückblättern and cursors 🎉\n".encode()
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 2000


@pytest.fixture
def uploads(tmp_path: Path) -> Path:
    folder = tmp_path / "uploads"
    (folder / "2024").mkdir(parents=True)
    (folder / "guide.md").write_bytes(GUIDE)
    (folder / "2024" / "picture.png").write_bytes(PNG)
    return folder


def objects(settings: Settings) -> dict[str, bytes]:
    """Every object of the store, by key."""
    root = settings.data_dir / "files"
    return {str(path.relative_to(root)): path.read_bytes() for path in root.glob("*/*") if path.is_file()}


async def rejected(job: Job, client: httpx.AsyncClient) -> dict[str, str]:
    """The reasons by the id of the row."""
    text = (await client.get(f"/api/v1/imports/{job['id']}/rejects")).text
    return {each["record"]["id"]: each["reason"] for each in map(json.loads, text.splitlines())}


async def test_bytes_come_with_their_rows(
    takeover: Takeover, client: httpx.AsyncClient, sql: "asyncpg.Connection", uploads: Path, tmp_path: Path
) -> None:
    folder = export(
        tmp_path / "old",
        systems=[system(id="s")],
        ideas=[idea(id="i")],
        files=[
            file(id="text", idea_id="i", system_id="s", size_bytes=len(GUIDE), created_at=NOON),
            file(
                id="picture",
                filename="picture.png",
                original_name="Bild ü.png",
                mime_type="image/png",
                file_path="/srv/registry/uploads/2024/picture.png",
                idea_id="gone",
                is_public=False,
            ),
        ],
    )
    job = await takeover(folder, files=uploads)
    assert job["state"] == "succeeded", job.get("error")
    assert job["result"]["tables"][FILES]["verified"] == 2
    assert job["result"]["tables"][FILES]["adapted"] == {"idea_id": 1}
    shown = (await client.get("/api/v1/files/text")).json()["data"]
    assert (shown["ideaId"], shown["systemId"], shown["downloadCount"]) == ("i", "s", 3)
    assert (shown["originalName"], shown["isPublic"], shown["uploadedBy"]) == ("Guide.md", True, "ada")
    assert shown["createdAt"] == "2024-05-01T12:00:00.000Z"
    for file_id, content, kind in (("text", GUIDE, "text/markdown"), ("picture", PNG, "image/png")):
        answer = await client.get(f"/api/v1/files/{file_id}/download")
        assert answer.content == content
        assert answer.headers["content-type"].split(";")[0] == kind
        shown = (await client.get(f"/api/v1/files/{file_id}")).json()["data"]
        assert shown["checksum"] == hashlib.sha256(content).hexdigest()
        assert shown["size"] == len(content)
    legacy = json.loads(await sql.fetchval("SELECT legacy::text FROM files WHERE id = 'picture'"))
    assert legacy["fields"]["file_path"] == "/srv/registry/uploads/2024/picture.png"
    assert legacy["original"]["idea_id"] == "gone"


async def test_texts_are_found_by_search_at_once(
    takeover: Takeover, client: httpx.AsyncClient, uploads: Path, tmp_path: Path
) -> None:
    await takeover(export(tmp_path / "old", files=[file(id="text")]), files=uploads)
    found = (await client.get("/api/v1/search", params={"q": "zurückblättern"})).json()
    assert [each["id"] for each in found["data"]] == ["upload:text"]


async def test_only_the_folder_that_was_given_is_read(
    takeover: Takeover, client: httpx.AsyncClient, settings: Settings, uploads: Path, tmp_path: Path
) -> None:
    (tmp_path / "secret.md").write_text("# Secret")
    (uploads / "link.md").symlink_to(tmp_path / "secret.md")
    before = objects(settings)
    rows = [
        file(id="up", filename="up.md", file_path="../secret.md"),
        file(id="deep", filename="deep.md", file_path="2024/../../secret.md"),
        file(id="absolute", filename="x.md", file_path=str(tmp_path / "secret.md")),
        file(id="name", filename="../secret.md", file_path=None),
        file(id="link", filename="link.md", file_path="link.md"),
        file(id="missing", filename="missing.md", file_path="missing.md"),
        file(id="folder", filename="2024", file_path="2024"),
        file(id="size", size_bytes=len(GUIDE) + 1),
    ]
    job = await takeover(export(tmp_path / "old", files=rows), files=uploads)
    assert (job["result"]["imported"], job["result"]["rejected"]) == (0, 8)
    missing = "file_path: is not in the folder of files"
    assert await rejected(job, client) == {
        **dict.fromkeys(("up", "deep", "absolute", "name", "missing"), missing),
        "link": "file_path: is a symbolic link, which is not followed",
        "folder": "file_path: is not a regular file",
        "size": f"size_bytes: is {len(GUIDE) + 1}, but the file has {len(GUIDE)} bytes",
    }
    assert objects(settings) == before


async def test_without_a_folder_files_wait_for_it(
    takeover: Takeover, client: httpx.AsyncClient, uploads: Path, tmp_path: Path
) -> None:
    folder = export(tmp_path / "old", systems=[system(id="s")], files=[file(id="f", system_id="s")])
    first = await takeover(folder)
    assert (first["result"]["imported"], first["result"]["rejected"]) == (1, 1)
    assert await rejected(first, client) == {
        "f": "file_path: its bytes are needed: name their folder with --files, or put it into the ZIP file"
    }
    second = await takeover(folder, files=uploads)
    assert (second["result"]["imported"], second["result"]["rejected"]) == (1, 0)
    assert (await client.get("/api/v1/files/f/download")).content == GUIDE


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("tool.exe", b"MZ\x90\x00", "application/octet-stream"),
        ("page.md", b"<html><script>alert(1)</script></html>", "application/octet-stream"),
        ("fake.png", b"not a picture", "application/octet-stream"),
        ("empty.txt", b"", "application/octet-stream"),
        ("nothing", b"plain", "application/octet-stream"),
        ("good.JSON", b'{"a":1}', "application/json"),
    ],
)
async def test_no_file_is_lost_for_what_it_is(
    name: str,
    content: bytes,
    kind: str,
    takeover: Takeover,
    client: httpx.AsyncClient,
    sql: "asyncpg.Connection",
    uploads: Path,
    tmp_path: Path,
) -> None:
    """What an upload would refuse is taken as plain bytes; the old type stays."""
    (uploads / name).write_bytes(content)
    row = file(id="f", filename=name, original_name=name, file_path=name, mime_type="text/html")
    job = await takeover(export(tmp_path / "old", files=[row]), files=uploads)
    assert job["result"]["verified"] == 1
    answer = await client.get("/api/v1/files/f/download")
    assert (answer.status_code, answer.content) == (200, content)
    assert answer.headers["content-type"].split(";")[0] == kind
    assert answer.headers["content-disposition"].startswith("attachment")
    legacy = json.loads(await sql.fetchval("SELECT legacy::text FROM files"))
    assert legacy["original"]["mime_type"] == "text/html"


async def test_a_second_run_stores_nothing_twice(
    takeover: Takeover,
    client: httpx.AsyncClient,
    sql: "asyncpg.Connection",
    settings: Settings,
    uploads: Path,
    tmp_path: Path,
) -> None:
    folder = export(tmp_path / "old", files=[file(id="f")])
    await takeover(folder, files=uploads)
    assert (await client.get("/api/v1/files/f/download")).content == GUIDE
    before = objects(settings)
    for on_conflict in ("skip", "overwrite"):
        job = await takeover(folder, files=uploads, on_conflict=on_conflict)
        assert (job["result"]["imported"], job["result"]["updated"]) == (0, 0)
        assert job["result"]["verified"] == 1, "a download since then is no difference"
    assert objects(settings) == before
    assert await sql.fetchval("SELECT download_count FROM files") == 4


async def test_overwriting_replaces_the_bytes_and_keeps_the_old_ones(
    takeover: Takeover, client: httpx.AsyncClient, settings: Settings, uploads: Path, tmp_path: Path
) -> None:
    folder = export(tmp_path / "old", files=[file(id="f")])
    known = objects(settings)
    await takeover(folder, files=uploads)
    first = objects(settings).keys() - known.keys()
    (uploads / "guide.md").write_bytes(b"# Other\n")
    kept = await takeover(folder, files=uploads, on_conflict="skip")
    assert (kept["result"]["kept"], kept["result"]["verified"]) == (1, 0)
    assert (await client.get("/api/v1/files/f/download")).content == GUIDE
    job = await takeover(folder, files=uploads, on_conflict="overwrite")
    assert (job["result"]["updated"], job["result"]["verified"]) == (1, 1)
    assert (await client.get("/api/v1/files/f/download")).content == b"# Other\n"
    second = objects(settings).keys() - known.keys()
    assert len(second) == 2
    assert first < second, "the import may be taken back"


async def test_bytes_that_get_lost_in_the_store_are_found_out(
    takeover: Takeover,
    settings: Settings,
    uploads: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = files.holds

    async def spoilt(settings: Settings, content: files.StoredContent) -> bool:
        path = settings.data_dir / "files" / content.object_key
        path.write_bytes(path.read_bytes()[:-1] + b"?")
        return await real(settings, content)

    monkeypatch.setattr(files, "holds", spoilt)
    job = await takeover(export(tmp_path / "old", files=[file(id="f")]), files=uploads)
    assert job["error"] == (
        "Verification failed: 1 of 1 rows differ from the source: documentation_files f (other bytes)"
    )


async def test_bytes_that_change_under_way_stop_the_import(
    takeover: Takeover,
    sql: "asyncpg.Connection",
    uploads: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = files.contents_of

    async def change(db: Database, ids: Sequence[str]) -> dict[str, files.StoredContent]:
        (uploads / "guide.md").write_bytes(GUIDE[::-1])
        return await real(db, ids)

    monkeypatch.setattr(files, "contents_of", change)
    job = await takeover(export(tmp_path / "old", files=[file(id="f")]), files=uploads)
    assert job["error"] == "The bytes of file f have changed since preflight"
    assert await sql.fetchval("SELECT count(*) FROM files") == 0
