"""When something breaks, either both are there, row and object, or neither."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from core.database.errors import EngineUnavailable
from features.files.tests.factories import (
    FILES,
    FORM,
    UPLOAD,
    UPLOAD_MULTIPLE,
    form,
    send,
    stored_objects,
    upload,
)
from tests.fixtures.application import RunningApp
from tests.fixtures.database import Connection
from tests.fixtures.servers import StartServer
from tests.fixtures.services import TestServices
from tests.fixtures.waiting import wait_for

BODY = form(("file", "a.txt", b"x" * 3_000_000))
FIVE = form(*(("files", f"{number}.txt", b"x" * 100_000) for number in range(5)))


async def in_two_halves(body: bytes, between: Callable[[], Awaitable[object]]) -> AsyncIterator[bytes]:
    half = len(body) - 1000
    for start in range(0, half, 65536):
        yield body[start : min(start + 65536, half)]
    await between()
    yield body[half:]


def obstruct(store: Path) -> list[Path]:
    """Files in place of all folders that are not there yet."""
    missing = [path for number in range(256) if not (path := store / f"{number:02x}").exists()]
    for path in missing:
        path.touch()
    return missing


@asynccontextmanager
async def no_audit(connection: Connection) -> AsyncIterator[None]:
    """Every new audit entry of mallory fails."""
    await connection.execute(
        "ALTER TABLE audit_entries ADD CONSTRAINT closed CHECK (actor <> 'mallory') NOT VALID"
    )
    try:
        yield
    finally:
        await connection.execute("ALTER TABLE audit_entries DROP CONSTRAINT closed")


async def test_without_its_audit_entry_no_change_happens(
    client: httpx.AsyncClient, store: Path, connection: Connection
) -> None:
    file = await upload(client)
    url = f"{FILES}/{file['id']}"
    mallory = {"x-user-id": "mallory"}
    async with no_audit(connection):
        responses = [
            await send(client, "b.txt", b"text", actor="mallory"),
            await client.post(UPLOAD_MULTIPLE, content=FIVE, headers={**FORM, **mallory}),
            await client.put(url, json={"description": "changed"}, headers=mallory),
            await client.delete(url, headers=mallory),
        ]
    for response in responses:
        assert response.status_code >= 400
        assert "constraint" not in response.text
    assert (await client.get(FILES)).json()["data"] == [file]
    assert len(stored_objects(store)) == 1
    assert (await client.get(f"{url}/download")).content == b"some notes\n"


async def test_a_failure_at_the_commit_leaves_nothing(
    client: httpx.AsyncClient, store: Path, connection: Connection
) -> None:
    await connection.execute(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = 'check_violation'; END $$;"
        "CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON files DEFERRABLE INITIALLY DEFERRED "
        "FOR EACH ROW EXECUTE FUNCTION refuse()"
    )
    try:
        response = await send(client, "a.txt", b"text")
    finally:
        await connection.execute("DROP TRIGGER refuse ON files; DROP FUNCTION refuse")
    assert response.status_code == 500
    assert stored_objects(store) == []
    assert await connection.fetchval("SELECT count(*) FROM files") == 0


async def test_a_commit_whose_answer_is_lost_keeps_the_object(
    client: httpx.AsyncClient, store: Path, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It happened, although it looks as if it had failed."""
    from core.database.engine import Engine

    real = Engine.commit_transaction

    async def lose(self: Engine, *arguments: Any) -> None:
        await real(self, *arguments)
        raise EngineUnavailable("the answer was lost")

    monkeypatch.setattr(Engine, "commit_transaction", lose)
    response = await send(client, "a.txt", b"text")
    monkeypatch.undo()
    assert response.status_code == 503
    [file] = (await client.get(FILES)).json()["data"]
    assert (await client.get(f"{FILES}/{file['id']}/download")).content == b"text"


@pytest.mark.parametrize(("path", "body"), [(UPLOAD, BODY), (UPLOAD_MULTIPLE, FIVE)])
async def test_a_database_that_goes_away_during_an_upload_leaves_nothing(
    running_app: RunningApp, store: Path, services: TestServices, path: str, body: bytes
) -> None:
    with services.fresh_database("files_away") as url:
        name = url.rsplit("/", 1)[1].partition("?")[0]
        async with running_app(database_url=url) as own:

            async def away() -> None:
                assert stored_objects(store)
                await asyncio.to_thread(
                    services.execute,
                    f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false; '
                    f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'",
                )

            response = await own.post(path, content=in_two_halves(body, away), headers=FORM)
            assert response.status_code >= 500
            assert stored_objects(store) == []


async def test_a_store_that_cannot_be_written_is_told(
    running_app: RunningApp, connection: Connection, tmp_path: Path
) -> None:
    (tmp_path / "files").write_text("a file where the folder should be")
    async with running_app(data_dir=tmp_path) as own:
        for response in (
            await own.post(UPLOAD, content=BODY, headers=FORM),
            await own.post(UPLOAD_MULTIPLE, content=FIVE, headers=FORM),
        ):
            assert response.status_code == 503
            assert int(response.headers["retry-after"]) > 0
            assert response.json()["message"] == (
                "Files cannot be stored or read at the moment; try again later"
            )
        assert (await own.get(FILES)).status_code == 200
    assert await connection.fetchval("SELECT count(*) FROM files") == 0


async def test_a_store_that_fails_in_the_middle_leaves_nothing(
    client: httpx.AsyncClient, store: Path, connection: Connection
) -> None:
    """The folders of the later objects are files by the time they are written."""
    await upload(client)
    kept = stored_objects(store)
    body = form(*(("files", f"{number}.txt", b"text") for number in range(5)))
    first = body.index(b"1.txt")

    async def content() -> AsyncIterator[bytes]:
        yield body[:first]
        await wait_for(lambda: len(stored_objects(store)) == 2)
        obstructed = obstruct(store)
        assert len(obstructed) >= 254
        yield body[first:]
        for path in obstructed:
            path.unlink()

    response = await client.post(UPLOAD_MULTIPLE, content=content(), headers=FORM)
    assert response.status_code == 503
    assert stored_objects(store) == kept
    assert await connection.fetchval("SELECT count(*) FROM files") == 1


async def test_an_object_that_cannot_be_removed_does_not_keep_its_file(
    client: httpx.AsyncClient, store: Path, connection: Connection
) -> None:
    file = await upload(client)
    [stored] = stored_objects(store)
    stored.unlink()
    stored.mkdir()
    (stored / "in the way").touch()
    assert (await client.delete(f"{FILES}/{file['id']}")).status_code == 200
    assert await connection.fetchval("SELECT count(*) FROM files") == 0


async def test_a_client_that_goes_away_leaves_nothing(
    live_server: StartServer, connection: Connection
) -> None:
    server = await live_server()
    store = server.data_dir / "files"
    host, port = server.base_url.removeprefix("http://").split(":")
    for path, body in ((UPLOAD, BODY), (UPLOAD_MULTIPLE, FIVE)):
        _, writer = await asyncio.open_connection(host, int(port))
        head = (
            f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {FORM['content-type']}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        writer.write(head.encode() + body[: len(body) - 50_000])
        await writer.drain()
        await wait_for(lambda: stored_objects(store))
        writer.close()
        await wait_for(lambda: not stored_objects(store), message="the half upload is still there")
    async with server.client() as client:
        assert (await client.get(FILES)).json()["total"] == 0
    assert await connection.fetchval("SELECT count(*) FROM audit_entries") == 0


@pytest.mark.slow
async def test_a_killed_server_leaves_what_reconcile_removes(
    live_server: StartServer, connection: Connection
) -> None:
    import os
    import signal

    server = await live_server()
    store = server.data_dir / "files"
    host, port = server.base_url.removeprefix("http://").split(":")
    _, writer = await asyncio.open_connection(host, int(port))
    head = f"POST {UPLOAD} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {FORM['content-type']}\r\n"
    writer.write(f"{head}Content-Length: {len(BODY)}\r\n\r\n".encode() + BODY[:-50_000])
    await writer.drain()
    await wait_for(lambda: stored_objects(store))
    await server.stop(signal.SIGKILL)
    writer.close()
    [left] = stored_objects(store)
    assert "#" in left.name
    again = await live_server()
    async with again.client() as client:
        for age, unfinished in ((0, 0), (100_000, 1)):
            seconds = left.stat().st_mtime - age
            os.utime(left, (seconds, seconds))
            job = await client.post(f"{FILES}/reconcile")
            url = job.headers["location"]

            async def result(url: str = url) -> Any:
                return (await client.get(url)).json()["data"].get("result")

            assert (await wait_for(result))["unfinished"] == unfinished
    assert stored_objects(store) == []
