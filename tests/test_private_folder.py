"""What the service keeps is its user's alone, whatever umask it was started with."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from features.imports.tests.factories import FIVE, ended, lowdb, post
from tests.fixtures.servers import StartServer

pytestmark = pytest.mark.slow


@pytest.fixture
def no_umask() -> Iterator[None]:
    """Whatever does not say otherwise is everybody's."""
    before = os.umask(0)
    yield
    os.umask(before)


def readable_by_others(folder: Path) -> list[str]:
    """Folders and files; sockets lie in folders that nobody else can enter."""
    found = []
    for path in [folder, *folder.rglob("*")]:
        status = path.lstat()
        if (stat.S_ISDIR(status.st_mode) or stat.S_ISREG(status.st_mode)) and status.st_mode & 0o077:
            found.append(f"{stat.filemode(status.st_mode)} {path.relative_to(folder)}")
    return found


@pytest.mark.usefixtures("no_umask")
@pytest.mark.parametrize("own_folder", [False, True])
async def test_nobody_else_reads_what_is_kept(
    live_server: StartServer, tmp_path: Path, own_folder: bool
) -> None:
    objects = tmp_path / "objects"
    changes = {"DATABASE_URL": None, "REDIS_URL": None, "WORKERS": "2"}
    server = await live_server({**changes, **({"FILES_URL": objects.as_uri()} if own_folder else {})})
    async with server.client() as client:
        form = {"file": ("a.txt", b"text", "text/plain")}
        assert (await client.post("/api/v1/files/upload", files=form)).status_code == 201
        imported = (await post(client, lowdb(list(FIVE)))).json()["data"]
        assert (await ended(client, imported["id"]))["state"] == "succeeded"
        exported = (await client.post("/api/v1/exports")).json()["data"]
        assert (await ended(client, exported["id"]))["state"] == "succeeded"
        assert (await client.get("/metrics")).status_code == 200
    assert readable_by_others(server.data_dir) == []
    if own_folder:
        assert len([path for path in objects.rglob("*") if path.is_file()]) == 1
        assert readable_by_others(objects) == []
