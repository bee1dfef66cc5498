"""The disk runs full while files are uploaded."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.conftest import Count
from tests.faults.load import Load
from tests.fixtures.servers import StartServer
from tests.fixtures.services import TestServices

pytestmark = pytest.mark.slow

DISK_BYTES = 6 * 1024 * 1024
TEXT = b"the quick brown fox jumps over the lazy dog\n" * 24_000
"""About a megabyte."""


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    options = f"size={DISK_BYTES},mode=0700"
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"a disk of its own needs the right to mount: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


async def test_uploads_are_refused_whole_and_go_on_when_there_is_room(
    live_server: StartServer, services: TestServices, small_disk: Path, count: Count
) -> None:
    server = await live_server({"FILES_URL": small_disk.as_uri()})

    def kept() -> list[Path]:
        return [path for path in small_disk.rglob("*") if path.is_file()]

    async with Load([server.base_url]) as load, server.client() as client:
        stored: list[str] = []
        while True:
            answer = await client.post("/api/v1/files/upload", files={"file": ("notes.txt", TEXT)})
            if answer.status_code != 201:
                break
            stored.append(answer.json()["data"]["id"])
            assert len(stored) < 10, "the disk does not fill"
        assert answer.status_code == 503
        assert "retry-after" in answer.headers
        assert str(small_disk) not in answer.text
        assert len(kept()) == len(stored) >= 4
        for file_id in stored:
            assert (await client.get(f"/api/v1/files/{file_id}/download")).content == TEXT
        assert (await client.get("/api/v1/files")).json()["total"] == len(stored)
        for file_id in stored[:2]:
            assert (await client.delete(f"/api/v1/files/{file_id}")).status_code == 200
        again = await client.post("/api/v1/files/upload", files={"file": ("notes.txt", TEXT)})
        assert again.status_code == 201, again.text
    count("disk full while uploading", load, await load.lost(services.database_url), [])
    assert load.refused == 0
