"""Exports over HTTP and by command: one moment, whole or not at all."""

import asyncio
import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from features.exports.errors import ExportNotStored, TargetUnusable
from features.exports.targets.file import FileTarget
from features.exports.tests.factories import EXPORTS, exported, imported, record, stringify
from tests.fixtures.commands import Handover, StartCommand
from tests.fixtures.database import Connection
from tests.fixtures.servers import process_environment
from tests.fixtures.services import TestServices
from tests.fixtures.waiting import wait_for

if TYPE_CHECKING:
    from core.settings import Settings

MANY = 30_000


async def test_the_answer_names_the_job_and_the_file_downloads(client: httpx.AsyncClient) -> None:
    content = stringify({"items": [record(1)]})
    await imported(client, content)
    answer = await client.post(EXPORTS)
    job = answer.json()["data"]
    assert answer.headers["location"] == f"/api/v1/jobs/{job['id']}"
    assert (job["kind"], job["arguments"]) == ("export.lowdb", {"filename": "library.json"})
    _, done = await exported(client)
    download = await client.get(f"{EXPORTS}/{done['id']}/download")
    assert download.headers["content-type"] == "application/json"
    assert 'filename="library.json"' in download.headers["content-disposition"]
    assert done["result"]["sha256"] == hashlib.sha256(download.content).hexdigest()
    assert (await client.get(f"{EXPORTS}/{job['id']}/download")).status_code == 404, (
        "the later one replaced it"
    )


async def test_only_finished_exports_download(client: httpx.AsyncClient, connection: Connection) -> None:
    for unknown in ("nonsense", "6a1d3a52-9c55-4f5d-8f0e-0d5f8f1f3a01"):
        assert (await client.get(f"{EXPORTS}/{unknown}/download")).status_code == 404
    job = await imported(client, stringify([]))
    assert (await client.get(f"{EXPORTS}/{job['id']}/download")).status_code == 404
    _, done = await exported(client)
    await connection.execute("UPDATE jobs SET state = 'failed' WHERE id = $1", done["id"])
    assert (await client.get(f"{EXPORTS}/{done['id']}/download")).status_code == 409


async def test_an_export_shows_one_moment(client: httpx.AsyncClient) -> None:
    """People write while it runs: of two items that always change together it never has one of each."""
    items = [record(number, title="0") for number in range(3000)]
    await imported(client, stringify({"items": items}))
    stop = asyncio.Event()

    async def write() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            for item_id in ("id-0", "id-2999"):
                await client.put(f"/api/items/{item_id}", json={"title": str(number)})

    writing = asyncio.create_task(write())
    try:
        for _ in range(3):
            content, _ = await exported(client)
            found = json.loads(content)["items"]
            first, last = int(found[0]["title"]), int(found[-1]["title"])
            assert first - last in (0, 1)
            assert len(found) == 3000
    finally:
        stop.set()
        await writing


def unfinished(folder: Path) -> list[Path]:
    return list(folder.glob(".*.partial"))


def library(folder: Path, count: int) -> Path:
    path = folder / "library.json"
    path.write_bytes(stringify({"items": [record(number) for number in range(count)]}))
    return path


async def test_the_command_replaces_a_file_and_keeps_its_mode(handover: Handover, tmp_path: Path) -> None:
    source = library(tmp_path, 3)
    content = source.read_bytes()
    assert (await handover("import", "lowdb", str(source))).code == 0
    target, link = tmp_path / "old db.json", tmp_path / "link.json"
    target.write_text("something else")
    target.chmod(0o640)
    link.symlink_to(target)
    outcome = await handover("export", "lowdb", str(link))
    assert outcome.code == 0, outcome.err
    assert "Export of link.json succeeded" in outcome.out
    assert link.is_symlink()
    assert (target.read_bytes(), target.stat().st_mode & 0o777) == (content, 0o640)
    assert unfinished(tmp_path) == []
    fresh = tmp_path / "fresh.json"
    assert (await handover("export", "lowdb", "fresh.json")).code == 0
    mask = os.umask(0)
    os.umask(mask)
    assert fresh.stat().st_mode & 0o777 == 0o666 & ~mask


async def test_what_cannot_be_written_is_said(handover: Handover, tmp_path: Path) -> None:
    """Before there is a job."""
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").touch()
    for arguments, reason in (
        (("lowdb", "absent/x.json"), "cannot be written: No such file"),
        (("csv", "ideas", "."), "is not a file"),
        (("registry", "absent/x"), "cannot be written: No such file"),
        (("registry", "full"), "is not empty"),
    ):
        outcome = await handover("export", *arguments)
        assert (outcome.code, outcome.out) == (1, "")
        assert reason in outcome.err.splitlines()[-1], outcome.err
        assert '"level":"error"' not in outcome.err, "a terminal would show it a second time"
    assert "0 of 0 jobs" in (await handover("jobs", "list")).out


async def test_an_export_to_standard_output_is_the_file_and_nothing_else(
    handover: Handover, tmp_path: Path
) -> None:
    source = library(tmp_path, 1_000)  # more than a pipe holds
    assert (await handover("import", "lowdb", str(source))).code == 0
    outcome = await handover("export", "lowdb", "-")
    assert (outcome.code, outcome.out) == (0, source.read_text())
    assert "Export to standard output succeeded" in outcome.err
    assert not (tmp_path / "-").exists()
    assert list((tmp_path / "data" / "exports").glob("*/*")) == []


@pytest.mark.slow
async def test_an_export_to_a_full_disk_by_way_of_standard_output_is_said(
    services: TestServices, tmp_path: Path
) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "core.cli", "export", "lowdb", "-"),
        stdout=full,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
        env=process_environment(services, tmp_path / "data", {}),
    )
    os.close(full)
    _, err = await process.communicate()
    assert process.returncode == 1
    told = err.decode().splitlines()[-1]
    assert told == "handover: Standard output cannot be written: No space left on device"


async def test_an_export_of_nothing_is_whole(handover: Handover, tmp_path: Path) -> None:
    outcome = await handover("export", "lowdb", "empty.json")
    assert "100%" in outcome.out
    assert "0 of 0" not in outcome.out
    assert (tmp_path / "empty.json").read_bytes() == stringify({"items": []})


@pytest.mark.slow
async def test_a_killed_export_leaves_the_old_file(
    handover: Handover, start_command: StartCommand, tmp_path: Path
) -> None:
    source = library(tmp_path, MANY)
    content = source.read_bytes()
    assert (await handover("import", "lowdb", str(source))).code == 0
    target = tmp_path / "target.json"
    target.write_text("the old one")
    running = await start_command("export", "lowdb", str(target))
    await wait_for(
        lambda: [each for each in unfinished(tmp_path) if each.stat().st_size > 1_000_000],
        60,
    )
    running.process.send_signal(signal.SIGKILL)
    await running.finish()
    assert target.read_text() == "the old one"
    assert len(unfinished(tmp_path)) == 1
    outcome = await handover("export", "lowdb", str(target))
    assert outcome.code == 0, outcome.out
    assert target.read_bytes() == content
    assert unfinished(tmp_path) == [], "what the killed one left is swept"


def test_two_writers_of_one_file_do_not_meet(tmp_path: Path) -> None:
    path = tmp_path / "a*b.json"
    first, second = FileTarget(path, "1"), FileTarget(path, "2")
    first.write(b"first")
    second.write(b"second")
    second.finish(0o600)
    assert path.read_bytes() == b"second"
    first.finish(0o600)
    first.close()
    second.close()
    assert path.read_bytes() == b"first"
    assert [each.name for each in tmp_path.iterdir()] == ["a*b.json"]


def test_what_was_not_finished_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    target = FileTarget(path, "1")
    target.write(b"half")
    target.close()
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(TargetUnusable):
        FileTarget(tmp_path, "1")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_full_disk_is_told(tmp_path: Path) -> None:
    target = FileTarget(tmp_path / "x.json", "1")
    full = Path("/dev/full").open("wb", buffering=0)  # noqa: SIM115
    os.dup2(full.fileno(), target._file.fileno())
    full.close()
    with pytest.raises(ExportNotStored, match="No space left"):
        target.write(b"x" * 2_000_000)
    target.close()
    assert list(tmp_path.iterdir()) == []


async def test_verify_says_what_differs(
    client: httpx.AsyncClient, handover: Handover, settings: "Settings", tmp_path: Path
) -> None:
    records: list[dict[str, Any]] = [record(number) for number in range(5)]
    await imported(client, stringify({"items": records}))
    path = tmp_path / "library.json"
    path.write_bytes(stringify({"items": records}))
    same = await handover("verify", "lowdb", "library.json")
    assert (same.code, same.out) == (0, "No difference between 5 records and 5 items.\n")
    await client.delete("/api/items/id-1")
    await client.put("/api/items/id-2", json={"status": "review", "tags": ["ç"]})
    body = {"title": "Nova", "description": "d", "category": "dashboard", "priority": "low"}
    added = (await client.post("/api/items", json=body)).json()["data"]["id"]
    path.write_bytes(
        stringify({"items": [*records, "bad", {**records[3], "votes": 1}, {**records[4], "id": "z", "x": 1}]})
    )
    differs = await handover("verify", "lowdb", "library.json")
    assert differs.code == 1
    lines = differs.out.splitlines()
    assert [line.split() for line in lines if not line.startswith(" ")] == [
        ["unusable", "items[5]"],
        ["unusable", "items[6]"],
        ["missing", "id-1"],
        ["different", "id-2"],
        ["missing", "z"],
        ["extra", added],
        ["6", "differences", "between", "8", "records", "and", "5", "items."],
    ]
    assert '             status: "new" in the file, "review" here' in lines
    assert any("updatedAt: " in line and "in the file" in line for line in lines)
    assert "             reason: id: is already used by items[3]" in lines


@pytest.mark.parametrize(
    ("there", "here", "shown"),
    [
        ("a" * 90 + "b", "a" * 90 + "c", f"""...{"a" * 20}b" in the file, ...{"a" * 20}c" here"""),
        ("a" * 90, "b", f""""{"a" * 59}... in the file, "b" here"""),
        ("a" * 90, "a" * 100, f"""...{"a" * 20}" in the file, ...{"a" * 30}" here"""),
    ],
)
async def test_of_long_texts_verify_shows_where_they_differ(
    client: httpx.AsyncClient, handover: Handover, tmp_path: Path, there: str, here: str, shown: str
) -> None:
    only: dict[str, Any] = record(1)
    await imported(client, stringify({"items": [{**only, "description": here}]}))
    (tmp_path / "library.json").write_bytes(stringify({"items": [{**only, "description": there}]}))
    outcome = await handover("verify", "lowdb", "library.json")
    assert f"description: {shown}" in outcome.out


@pytest.mark.parametrize("content", [None, b'{"items": [', b"{}"])
async def test_verify_of_a_file_that_is_none_fails(
    handover: Handover, tmp_path: Path, content: bytes | None
) -> None:
    if content is not None:
        (tmp_path / "library.json").write_bytes(content)
    outcome = await handover("verify", "lowdb", "library.json")
    assert outcome.code == 1
    assert outcome.err.splitlines()[-1].startswith("handover: ")
