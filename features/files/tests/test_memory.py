"""A file of the largest size passes through the server without staying in it."""

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from features.files.tests.factories import FILES, FORM, PNG, UPLOAD, form, send, stored_objects
from tests.fixtures.servers import LiveServer, StartServer

pytestmark = pytest.mark.slow

SIZE = 50 * 1024 * 1024
BLOCK = bytes(range(256)) * 256
MOST_GROWTH_KIB = 20 * 1024


def peak_kib(server: LiveServer) -> int:
    """The most memory that the process has held since the peak was last forgotten."""
    status = Path(f"/proc/{server.pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1])


def forget_peak(server: LiveServer) -> None:
    Path(f"/proc/{server.pid}/clear_refs").write_text("5")


async def body(size: int) -> AsyncIterator[bytes]:
    head, tail = form(("file", "large.png", b"|")).split(b"|")
    yield head + PNG
    left = size - len(PNG)
    while left:
        yield BLOCK[:left]
        left -= min(left, len(BLOCK))
    yield tail


async def checksum_of(response: httpx.Response) -> str:
    digest = hashlib.sha256()
    async for data in response.aiter_bytes():
        digest.update(data)
    return digest.hexdigest()


async def test_fifty_megabytes_pass_through_with_flat_memory(live_server: StartServer) -> None:
    server = await live_server()
    async with server.client() as client:
        # What is loaded once, by the first upload and the first download, is not what is measured.
        warm = (await send(client, "a.png", PNG * 100_000)).json()["data"]
        await client.get(f"{FILES}/{warm['id']}/download")
        forget_peak(server)
        before = peak_kib(server)
        response = await client.post(UPLOAD, content=body(SIZE), headers=FORM)
        assert response.status_code == 201, response.text
        file = response.json()["data"]
        assert file["size"] == SIZE
        assert peak_kib(server) - before < MOST_GROWTH_KIB
        async with client.stream("GET", f"{FILES}/{file['id']}/download") as download:
            assert await checksum_of(download) == file["checksum"]
        assert peak_kib(server) - before < MOST_GROWTH_KIB


async def test_more_than_the_limit_is_refused_while_it_streams(live_server: StartServer) -> None:
    """Without a length that would tell beforehand."""
    server = await live_server({"FILES_MAX_BYTES": "1MiB"})
    async with server.client() as client:
        response = await client.post(UPLOAD, content=body(2 * 1024 * 1024), headers=FORM)
        assert response.status_code == 413
        assert response.json()["success"] is False
        assert (await client.get(FILES)).json()["total"] == 0
    assert stored_objects(server.data_dir / "files") == []
