"""Uploads that are too large or break off, through the whole app."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest

from features.imports.tests.factories import FIVE, IMPORTS, imported, lowdb, post, record
from tests.fixtures.application import RunningApp
from tests.fixtures.servers import StartServer
from tests.fixtures.waiting import wait_for

Folders = Callable[[], list[str]]

HEAD = (
    b'--b\r\nContent-Disposition: form-data; name="source"\r\n\r\nlowdb\r\n'
    b'--b\r\nContent-Disposition: form-data; name="file"; filename="x.json"\r\n\r\n'
)


@pytest.mark.parametrize("excess", [1, 100_000, 9_000_000])
async def test_a_file_above_the_limit_is_413_and_leaves_nothing(
    running_app: RunningApp, import_folders: Folders, excess: int
) -> None:
    limit = 200_000
    async with running_app(import_max_bytes=limit) as client:
        answer = await post(client, b"x" * (limit + excess))
        assert answer.status_code == 413
        assert answer.json()["success"] is False
        assert import_folders() == []
        assert (await client.get("/api/v1/jobs")).json()["total"] == 0


async def test_an_endless_upload_is_cut_off(running_app: RunningApp, import_folders: Folders) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        yield HEAD
        while True:
            sent += 65536
            yield b"x" * 65536

    headers = {"content-type": "multipart/form-data; boundary=b"}
    async with running_app(import_max_bytes=1_000_000) as client:
        answer = await client.post(IMPORTS, content=endless(), headers=headers)
        assert answer.status_code == 413
    assert sent < 12_000_000
    assert import_folders() == []


async def test_an_import_may_be_larger_than_other_bodies(running_app: RunningApp) -> None:
    async with running_app(max_body_bytes=1000) as client:
        job = await imported(client, lowdb([record(description="x" * 5000)]))
    assert job["result"]["verified"] == 1


async def test_a_client_that_goes_away_leaves_nothing(live_server: StartServer) -> None:
    server = await live_server()
    host, port = server.base_url.removeprefix("http://").split(":")
    root = server.data_dir / "imports"
    _, writer = await asyncio.open_connection(host, int(port))
    writer.write(
        f"POST {IMPORTS} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 50000000\r\n"
        f"Content-Type: multipart/form-data; boundary=b\r\n\r\n".encode()
    )
    writer.write(HEAD + b"x" * 3_000_000)
    await writer.drain()
    await wait_for(lambda: partial_files(root), message="nothing was written")
    writer.close()
    await wait_for(lambda: not any(root.iterdir()), message="the broken upload is still there")
    async with server.client() as client:
        assert (await imported(client, lowdb(list(FIVE))))["result"]["verified"] == 5


def partial_files(root: Path) -> list[Path]:
    return [path for path in root.glob("incoming-*/source.json.*") if path.stat().st_size > 1_000_000]


async def test_the_openapi_document_describes_the_form(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    operation = document["paths"][IMPORTS]["post"]
    schema = operation["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert set(schema["properties"]) == {
        "file",
        "source",
        "into",
        "map",
        "on_conflict",
        "dry_run",
        "max_rejects",
        "since_last",
    }
    assert {"202", "400", "409", "413", "415"} <= set(operation["responses"])
