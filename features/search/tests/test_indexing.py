"""The index follows its sources: incrementally, whatever lies in the folder, and with every upload."""

import os
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from core.settings import Settings
from features.files import api as files
from features.search.jobs import index_when_stale
from features.search.schemas import Document
from features.search.sources import uploads
from features.search.tests.factories import ended, found_ids, put, reindex, search
from tests.fixtures.application import RunningApp, client_of, lifespan_of, new_app
from tests.fixtures.database import Connection
from tests.fixtures.waiting import wait_for

Logs = list[MutableMapping[str, Any]]


async def indexed(connection: Connection) -> dict[str, object]:
    rows = await connection.fetch("SELECT id, indexed_at, xmin::text AS written FROM search_documents")
    return {row["id"]: (row["indexed_at"], row["written"]) for row in rows}


async def upload(
    client: httpx.AsyncClient, name: str, content: bytes, media_type: str = "text/markdown"
) -> str:
    """Its id, once its index job has ended."""
    response = await client.post("/api/v1/files/upload", files={"file": (name, content, media_type)})
    assert response.status_code == 201, response.text
    await jobs_ended(client)
    file_id: str = response.json()["data"]["id"]
    return file_id


def rename(folder: Path, name: str) -> None:
    folder.rename(folder.with_name(name))


async def jobs_ended(client: httpx.AsyncClient) -> None:
    async def idle() -> bool:
        jobs = (await client.get("/api/v1/jobs", params={"kind": "search.index_file"})).json()["data"]
        return all(job["state"] not in ("queued", "running") for job in jobs)

    await wait_for(idle, 30)


async def test_reindexing_is_accepted_as_a_job(library: httpx.AsyncClient) -> None:
    response = await library.post("/api/v1/search/reindex", headers={"x-user-id": "ada"})
    assert response.status_code == 202
    body = response.json()
    assert body["success"] is True
    assert (body["data"]["kind"], body["data"]["actor"]) == ("search.reindex", "ada")
    assert response.headers["location"] == f"/api/v1/jobs/{body['data']['id']}"
    job = await ended(library, response.headers["location"])
    assert job["state"] == "succeeded"
    assert job["result"]["documents"] == job["result"]["changed"] > 20
    assert job["result"]["removed"] == 0


async def test_only_one_reindexing_at_a_time(library: httpx.AsyncClient, connection: Connection) -> None:
    await connection.execute(
        "INSERT INTO jobs (id, kind, arguments, exclusive_key, actor, lease_expires_at) VALUES "
        "(gen_random_uuid(), 'search.reindex', '{}', 'search.reindex', 'other', now() + interval '1 hour')"
    )
    response = await library.post("/api/v1/search/reindex")
    assert response.status_code == 409
    assert "only one can run at a time" in response.json()["message"]


async def test_unchanged_documents_are_not_touched(
    library: httpx.AsyncClient, docs: Path, connection: Connection
) -> None:
    put(docs, "same.md", "# Same\n\nAs ever.\n")
    put(docs, "other.md", "# Other\n\nBefore.\n")
    await reindex(library)
    before = await indexed(connection)
    put(docs, "other.md", "# Other\n\nAfter.\n")
    os.utime(docs / "same.md")
    result = await reindex(library)
    after = await indexed(connection)
    assert (result["changed"], result["removed"]) == (1, 0)
    assert result["documents"] == len(before) == len(after)
    assert {name for name in before if before[name] != after[name]} == {"markdown:other.md"}
    assert (await reindex(library))["changed"] == 0
    assert await indexed(connection) == after


async def test_documents_that_are_gone_are_not_found(library: httpx.AsyncClient, docs: Path) -> None:
    put(docs, "kept.md", "# Kept\n\nbadger\n")
    gone = put(docs, "gone.md", "# Gone\n\nbadger\n")
    await reindex(library)
    assert len(await found_ids(library, "badger")) == 2
    gone.unlink()
    assert (await reindex(library))["removed"] == 1
    assert await found_ids(library, "badger") == ["markdown:kept.md"]


async def test_a_folder_that_is_not_there_forgets_nothing(
    library: httpx.AsyncClient, docs: Path, logs: Logs
) -> None:
    put(docs, "kept.md", "# Kept\n\nbadger\n")
    await reindex(library)
    rename(docs, "elsewhere")
    assert (await reindex(library))["removed"] == 0
    assert await found_ids(library, "badger") == ["markdown:kept.md"]
    assert "search.docs_dir_missing" in [entry["event"] for entry in logs]


@pytest.mark.parametrize(
    ("name", "text", "kind", "title"),
    [
        ("plain.md", "# A *title* #\n\nkestrel", "guide", "A *title*"),
        ("no-heading.markdown", "kestrel", "guide", "no-heading"),
        ("adr/0001.md", "kestrel", "adr", "0001"),
        ("Decisions/deep/er/0002.MD", "kestrel", "adr", "0002"),
        ("templates/a.md", "---\ntype: diagram\n---\nkestrel", "diagram", "a"),
        ("templates/b.md", "---\ntype: novel\ntitle: Título\n---\nkestrel", "template", "Título"),
        ("templates/guides/c.md", "kestrel", "guide", "c"),
        ("diagrams/d.md", "---\n: : [broken\n---\nkestrel", "diagram", "d"),
        ("e.md", "---\ntitle: [1, 2]\ntype: {a: b}\n---\nkestrel", "guide", "e"),
        ("f.md", "---\nno end of it\nkestrel", "guide", "f"),
        ("g.md", "---\ntitle: !!python/object/apply:os.system ['true']\n---\nkestrel", "guide", "g"),
        ("h.md", "---\n" + "[" * 5000 + "\n---\nkestrel", "guide", "h"),
        ("i.md", "\ufeff---\r\ntitle: Windows\r\n---\r\nkestrel", "guide", "Windows"),
        ("j.md", "---\ntitle: '" + "long " * 200 + "'\n---\nkestrel", "guide", ("long " * 60)),
        ("k.md", "kestrel \0 \x1b", "guide", "k"),
    ],
)
async def test_type_and_title(
    library: httpx.AsyncClient, docs: Path, name: str, text: str, kind: str, title: str
) -> None:
    put(docs, name, text)
    await reindex(library)
    [result] = await search(library, "kestrel", source="markdown")
    assert (result["id"], result["type"], result["title"]) == (f"markdown:{name}", kind, title)


async def test_what_cannot_be_trusted_is_skipped_and_logged(
    library: httpx.AsyncClient, docs: Path, tmp_path: Path, logs: Logs
) -> None:
    secret = put(tmp_path, "outside/secret.md", "# Secret\n\nlynx\n")
    put(docs, "real.md", "# Real\n\nlynx\n")
    put(docs, "large.md", "lynx " * 300_000)
    put(docs, "text.txt", "lynx")
    put(docs, ".hidden/a.md", "lynx")
    (docs / "link.md").symlink_to(secret)
    (docs / "disguised.md").symlink_to("/etc/passwd")
    (docs / "folder").symlink_to(secret.parent)
    (docs / "loop").symlink_to(docs)
    (docs / "dangling.md").symlink_to(docs / "none.md")
    os.mkfifo(docs / "pipe.md")
    os.mkfifo(docs / "pipe")
    (docs / "dir.md").mkdir()
    (docs / "line\nbreak.md").write_text("lynx")
    (docs / "alias.md").symlink_to("real.md")
    os.close(os.open(os.fsencode(docs) + b"/b\xffad.md", os.O_CREAT | os.O_WRONLY))
    await reindex(library)
    assert sorted(await found_ids(library, "lynx")) == ["markdown:alias.md", "markdown:real.md"]
    assert await found_ids(library, "root bash", source="markdown") == []
    skipped = {
        entry["path"].strip("'"): entry["reason"]
        for entry in logs
        if entry["event"] == "search.document_skipped"
    }
    assert skipped == {
        "link.md": "leads out of the folder",
        "disguised.md": "leads out of the folder",
        "folder": "leads out of the folder",
        "loop": "is a link to a folder",
        "dangling.md": "cannot be read",
        "pipe.md": "is not a regular file",
        "large.md": "is larger than 1048576 bytes",
        "line\\nbreak.md": "has a name that cannot be shown",
        "b\\udcffad.md": "has a name that cannot be shown",
    }


async def test_an_uploaded_text_is_found_at_once_and_forgotten_when_deleted(
    library: httpx.AsyncClient,
) -> None:
    file_id = await upload(library, "Relatório de vendas.md", b"# Ocelote\n\nVendas do trimestre.\n")
    [result] = await search(library, "ocelote trimestre")
    assert (result["id"], result["source"], result["type"]) == (f"upload:{file_id}", "upload", "guide")
    assert result["title"] == "Ocelote"
    assert "Vendas do <mark>trimestre</mark>" in result["snippet"]
    assert b"Ocelote" in (await library.get(result["link"])).content
    assert await found_ids(library, "relatorio vendas") == [f"upload:{file_id}"]
    assert (await reindex(library))["sources"]["upload"] == 1
    assert (await library.delete(f"/api/v1/files/{file_id}")).status_code == 200
    await jobs_ended(library)
    assert await found_ids(library, "ocelote") == []


async def test_reindexing_finds_uploads_whose_job_was_lost(
    library: httpx.AsyncClient, connection: Connection
) -> None:
    kept = await upload(library, "kept.txt", b"caracal in a text", "text/plain")
    await upload(library, "gone.csv", b"caracal;in;a;table\n", "text/csv")
    await upload(library, "picture.png", b"\x89PNG\r\n\x1a\n" + b"caracal " * 10, "image/png")
    assert len(await found_ids(library, "caracal")) == 2
    await connection.execute("DELETE FROM search_documents")
    await connection.execute("DELETE FROM files WHERE original_name = 'gone.csv'")
    result = await reindex(library)
    assert result["sources"]["upload"] == 1
    assert await found_ids(library, "caracal") == [f"upload:{kept}"]
    await connection.execute("DELETE FROM files")
    await reindex(library)
    assert await found_ids(library, "caracal") == []


async def test_a_start_indexes_once(settings: Settings, docs: Path, connection: Connection) -> None:
    async def jobs() -> list[str]:
        rows = await connection.fetch(
            "SELECT state FROM jobs WHERE kind = 'search.reindex' ORDER BY created_at"
        )
        return [row["state"] for row in rows]

    async def start(expected: int) -> None:
        app = new_app(settings.model_copy(update={"docs_dir": docs, "search_index_on_start": True}))
        async with lifespan_of(app), client_of(app) as client:

            async def settled() -> bool:
                return await jobs() == ["succeeded"] * expected

            await wait_for(settled, 30)
            assert await found_ids(client, "list items", source="openapi")
            await index_when_stale(app.state.platform)
            assert await settled(), "what another worker would do when it starts"

    put(docs, "a.md", "# One\n")
    await start(1)
    put(docs, "b.md", "# Two\n")
    await start(2)


async def test_without_a_folder_its_documents_are_forgotten(
    running_app: RunningApp, docs: Path, library: httpx.AsyncClient
) -> None:
    put(docs, "a.md", "# Marten\n")
    await reindex(library)
    assert await found_ids(library, "marten")
    async with running_app(docs_dir=None) as client:
        assert (await reindex(client))["removed"] == 1
        assert await found_ids(client, "marten") == []


async def test_a_file_deleted_while_it_is_read_leaves_no_document(
    library: httpx.AsyncClient, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    file_id = await upload(library, "late.md", b"# Fossa\n")
    await connection.execute("DELETE FROM search_documents")
    real = uploads.read

    async def read(settings: Settings, file: files.IndexedFile) -> Document | None:
        document = await real(settings, file)
        await connection.execute("DELETE FROM files WHERE id = $1", file_id)
        return document

    monkeypatch.setattr(uploads, "read", read)
    assert (await reindex(library))["sources"]["upload"] == 1
    assert await connection.fetchval("SELECT count(*) FROM search_documents WHERE source = 'upload'") == 0


async def test_the_longest_documents_can_be_indexed(library: httpx.AsyncClient, docs: Path) -> None:
    """Of very different words, in letters of one to four bytes."""
    letters = {"latin": 97, "cyrillic": 0x430, "gothic": 0x10330}
    for name, first in letters.items():
        words = ("".join(chr(first + int(digit)) for digit in str(number)) for number in range(60_000))
        put(docs, f"{name}.md", f"weasel {' '.join(words)}"[: 1024 * 1024 // 4])
    await reindex(library)
    assert len(await found_ids(library, "weasel")) == len(letters)
