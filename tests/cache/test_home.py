"""Processes of one host share tag versions when they use one database, whatever their data folders are."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.cache import versions
from core.cache.policy import Entry, Outcome, Policy
from core.server.embedded.server import ServicePaths
from tests.cache.support import opened, settings_for

POLICY = Policy("test.home", tags=("home",))


@pytest.fixture
def shared_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path / "shm"
    folder.mkdir()
    monkeypatch.setattr(versions, "SHARED_MEMORY", folder)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def folder_of(data_dir: Path, url: str | None) -> Path:
    return versions.versions_folder(settings_for(data_dir, database_url=url))


async def test_a_write_under_another_data_folder_is_seen_by_the_next_read(
    shared_memory: Path, tmp_path: Path
) -> None:
    url = "postgresql://handover@localhost/one"
    async with (
        opened(tmp_path / "server", database_url=url) as server,
        opened(tmp_path / "command", database_url=url.replace("localhost", "127.0.0.1:5432")) as command,
    ):
        value = b"old"

        async def load() -> Entry:
            return Entry(value, "e")

        await server.get_or_load(POLICY, "k", load)
        assert (await server.get_or_load(POLICY, "k", load))[1] is Outcome.HIT
        value = b"new"
        await command.invalidate("home")
        assert (await server.get_or_load(POLICY, "k", load))[0].body == b"new"


def test_the_place_follows_the_database(shared_memory: Path, tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    same = {
        folder_of(one, "postgresql://a:secret@localhost/db"),
        folder_of(other, "postgres://b@127.0.0.1:5432/db?sslmode=disable"),
    }
    assert len(same) == 1
    assert same.pop().parent == shared_memory
    different = {
        folder_of(one, url)
        for url in (
            "postgresql://db.example/db",
            "postgresql://db.example:5433/db",
            "postgresql://db.example/db2",
        )
    }
    assert len(different) == 3
    assert "secret" not in str(different)


def test_the_embedded_database_keeps_its_versions_in_its_data_folder(
    shared_memory: Path, tmp_path: Path
) -> None:
    socket = ServicePaths("postgres", tmp_path).socket_dir
    assert folder_of(tmp_path, None) == tmp_path / "run"
    assert folder_of(tmp_path, f"postgresql://handover@/handover?host={socket}") == tmp_path / "run"


def test_a_link_in_the_way_is_not_followed(shared_memory: Path, tmp_path: Path) -> None:
    url = "postgresql://db.example/db"
    folder = folder_of(tmp_path, url)
    folder.rmdir()
    folder.symlink_to(tmp_path)
    assert folder_of(tmp_path, url) == tmp_path / "run"
