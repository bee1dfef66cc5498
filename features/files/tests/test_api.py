"""What other slices are given: texts as streams, changes as they happen."""

from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from core.database.client import Author, Database
from core.errors import Conflict
from core.feature import Feature
from core.jobs import Jobs, JobView
from core.settings import Settings
from features.files import api
from features.files.tests.factories import FILES, PNG, send, stored_objects, upload
from tests.fixtures.application import client_of, lifespan_of, new_app
from tests.fixtures.waiting import wait_for


async def text_of(app: FastAPI, file: api.IndexedFile, limit: int | None = None) -> str:
    return "".join([part async for part in api.open_text(app.state.settings, file, limit=limit)])


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("Olá €\n".encode(), "Olá €\n"),
        (b"\xef\xbb\xbfmarked", "marked"),
        ("wide ç".encode("utf-16"), "wide ç"),
        ("ação".encode("latin-1"), "a\ufffd\ufffdo"),
        (("é" * 500_000).encode(), "é" * 500_000),
    ],
)
async def test_a_text_comes_as_text(
    app: FastAPI, client: httpx.AsyncClient, db: Database, store: Path, content: bytes, text: str
) -> None:
    file = await upload(client, "a.txt", content)
    [found] = await api.texts_after(db)
    assert (found.id, found.original_name, found.checksum) == (file["id"], "a.txt", file["checksum"])
    assert await text_of(app, found) == text
    assert (await client.get(f"{FILES}/{file['id']}")).json()["data"]["downloadCount"] == 0


async def test_a_long_text_can_be_cut(
    app: FastAPI, client: httpx.AsyncClient, db: Database, store: Path
) -> None:
    await upload(client, "a.txt", ("é" * 1000).encode())
    [found] = await api.texts_after(db)
    assert await text_of(app, found, 101) == "é" * 50 + "\ufffd"


async def test_only_texts_are_listed_page_by_page(
    client: httpx.AsyncClient, db: Database, store: Path
) -> None:
    made = [await upload(client, f"{number}.md", b"# x") for number in range(5)]
    image = await upload(client, "a.png", PNG)
    ids: list[str] = []
    while page := await api.texts_after(db, ids[-1] if ids else None, limit=2):
        ids += [file.id for file in page]
    assert ids == sorted(file["id"] for file in made)
    assert await api.find_text(db, image["id"]) is None
    found = await api.find_text(db, ids[0])
    assert found is not None
    assert found.mime_type == "text/markdown"


async def test_a_text_whose_object_is_gone(
    app: FastAPI, client: httpx.AsyncClient, db: Database, store: Path
) -> None:
    await upload(client)
    [found] = await api.texts_after(db)
    stored_objects(store)[0].unlink()
    with pytest.raises(api.ContentMissing):
        await text_of(app, found)


async def test_another_slice_takes_part_in_each_change(settings: Settings, store: Path) -> None:
    """In its transaction: what it refuses does not happen, and the job that it enqueues is run."""
    told: list[tuple[str, str]] = []

    async def take_part(tx: Database, jobs: Jobs, actor: Author, change: api.FileChange) -> JobView | None:
        assert tx.is_transaction()
        if change.file.filename == "refused.txt":
            raise Conflict("not this one")
        told.append((change.action, change.file.filename))
        return await jobs.enqueue(tx, "files.reconcile", {}, actor) if change.action == "updated" else None

    own = new_app(settings, Feature("another", on_change={"File": take_part}))
    async with lifespan_of(own), client_of(own) as client:
        file = await upload(client, "told.txt")
        assert (await send(client, "refused.txt", b"text")).status_code == 409
        assert [each["filename"] for each in (await client.get(FILES)).json()["data"]] == ["told.txt"]
        assert (await client.put(f"{FILES}/{file['id']}", json={"description": "x"})).status_code == 200
        assert (await client.delete(f"{FILES}/{file['id']}")).status_code == 200
        assert told == [("created", "told.txt"), ("updated", "told.txt"), ("deleted", "told.txt")]
        assert stored_objects(store) == []

        async def done() -> bool:
            jobs = (await client.get("/api/v1/jobs", params={"kind": "files.reconcile"})).json()["data"]
            return [(job["state"], job["attempts"]) for job in jobs] == [("succeeded", 1)]

        await wait_for(done, message="the job that was enqueued in the change was not run")
