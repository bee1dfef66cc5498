"""The commands, each run as a person runs it."""

import gc
import json
import re
import runpy
import signal
import sys
from pathlib import Path

import pytest

from core import cli, command
from core.settings import Settings
from features.jobs.api.terminal import duration
from tests.fixtures.commands import Handover, StartCommand
from tests.fixtures.servers import StartServer
from tests.fixtures.services import TestServices
from tests.fixtures.waiting import wait_for

ROOT = Path(__file__).resolve().parents[1]
MANY = 12_000
SLOWLY = {"IMPORT_BATCH_ROWS": "4"}
"""Thousands of small transactions: an import of MANY rows is still running when it is cancelled."""


def record(number: int) -> dict[str, object]:
    return {
        "id": f"idea-{number}",
        "title": f"Idea {number}",
        "description": "What it is about",
        "category": "dashboard",
        "priority": "low",
        "status": "new",
        "tags": ["a"],
        "createdAt": "2025-01-02T03:04:05.678Z",
        "updatedAt": None,
    }


def library(folder: Path, count: int, *broken: object) -> str:
    path = folder / "library.json"
    path.write_text(json.dumps({"items": [*(record(number) for number in range(count)), *broken]}))
    return str(path)


def job_of(text: str) -> str:
    """The id in a summary or list."""
    return str(re.findall(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", text)[-1])


def loading(services: TestServices) -> str:
    """The id of the job that has loaded some rows; empty before."""
    return services.execute(
        "SELECT id FROM jobs WHERE state = 'running' AND phase = 'load' AND done > 0",
        url=services.database_url,
    )


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), ["serve", "demo", "import", "verify", "export", "db", "jobs"]),
        (("serve",), ["HOST", "DATABASE_URL", "--stop-with-parent"]),
        (("import",), ["lowdb", "undo"]),
        (
            ("import", "lowdb"),
            ["--dry-run", "--since-last", "--on-conflict", "skip|overwrite|fail", "--max-rejects"],
        ),
        (("db",), ["deploy", "new", "status", "check"]),
        (("keys",), ["create", "list", "revoke"]),
        (("jobs",), ["list", "show", "cancel"]),
    ],
)
async def test_help_names_everything(
    handover: Handover, arguments: tuple[str, ...], expected: list[str]
) -> None:
    outcome = await handover(*arguments, "--help")
    assert outcome.code == 0
    assert [word for word in expected if word not in outcome.out] == []


async def test_an_import_is_shown_and_can_be_repeated(handover: Handover, tmp_path: Path) -> None:
    path = library(tmp_path, 5)
    first = await handover("import", "lowdb", path)
    assert (first.code, first.err) == (0, "")
    assert "Import of library.json succeeded" in first.out
    assert re.search(r"^imported +5$", first.out, re.MULTILINE)
    assert re.search(r"^verified +5$", first.out, re.MULTILINE)
    assert "5 of 5 rows" in first.out
    assert "100%" in first.out
    again = await handover("import", "lowdb", path)
    assert again.code == 0
    assert re.search(r"^imported +0$", again.out, re.MULTILINE)
    assert re.search(r"^kept +5$", again.out, re.MULTILINE)


async def test_a_dry_run_writes_nothing(handover: Handover, services: TestServices, tmp_path: Path) -> None:
    outcome = await handover("import", "lowdb", library(tmp_path, 3, {"id": "bad"}), "--dry-run")
    assert outcome.code == 0, outcome.err
    assert "Dry run of library.json succeeded" in outcome.out
    assert re.search(r"^rejected +1$", outcome.out, re.MULTILINE)
    assert "items[3]" in outcome.out or "items.3" in outcome.out or "$.items" in outcome.out
    assert services.execute("SELECT count(*) FROM items", url=services.database_url) == "0"
    clean = await handover("import", "lowdb", library(tmp_path, 3), "--dry-run")
    assert re.search(r"^rejected +0$", clean.out, re.MULTILINE)
    undone = await handover("import", "undo", job_of(clean.out))
    assert undone.code == 1
    assert "was a dry run: it has written nothing to take back" in undone.err


async def test_an_import_is_continued_and_taken_back(handover: Handover, tmp_path: Path) -> None:
    path = library(tmp_path, 3)
    first = await handover("import", "lowdb", path)
    job = re.search(r"^job +(\S+)$", first.out, re.MULTILINE)
    assert job is not None
    again = await handover("import", "lowdb", library(tmp_path, 4), "--since-last")
    assert again.code == 0, again.err
    figures = dict(
        re.findall(r"^(new|changed|conflicts|vanished|unchanged) +(\d+)$", again.out, re.MULTILINE)
    )
    assert figures == {"new": "1", "changed": "0", "conflicts": "0", "vanished": "0", "unchanged": "3"}
    undone = await handover("import", "undo", job[1])
    assert undone.code == 0, undone.err
    assert re.search(r"^deleted +3$", undone.out, re.MULTILINE)
    nothing = await handover("import", "undo", job[1])
    assert nothing.code == 1
    assert "taken back already" in nothing.err
    both = await handover("import", "lowdb", path, "--since-last", "--on-conflict", "overwrite")
    assert both.code == 2


async def test_a_failed_import_says_why_and_fails(handover: Handover, tmp_path: Path) -> None:
    path = library(tmp_path, 2, {"id": "bad"})
    too_many = await handover("import", "lowdb", path, "--max-rejects", "0")
    assert (too_many.code, (too_many.out + too_many.err).count("More than 0 records")) == (1, 1)
    assert "Import of library.json failed" in too_many.out
    assert (await handover("import", "lowdb", path)).code == 0
    conflict = await handover("import", "lowdb", path, "--on-conflict", "fail")
    assert conflict.code == 1
    assert "idea-0" in conflict.out
    listed = await handover("jobs", "list")
    assert listed.out.count("import.lowdb") == 3
    assert "3 of 3 jobs" in listed.out
    assert "1 of 1 jobs" in (await handover("jobs", "list", "--state", "succeeded")).out


async def test_ctrl_c_cancels_the_job(
    handover: Handover, start_command: StartCommand, services: TestServices, tmp_path: Path
) -> None:
    running = await start_command("import", "lowdb", library(tmp_path, MANY), environment=SLOWLY)
    await wait_for(lambda: loading(services), 120, message="the import does not begin")
    running.process.send_signal(signal.SIGINT)
    outcome = await running.finish()
    assert outcome.code == 1, outcome.err
    assert "Import of library.json cancelled" in outcome.out
    assert "Traceback" not in outcome.err
    shown = await handover("jobs", "show", job_of(outcome.out))
    assert re.search(r"^state +cancelled$", shown.out, re.MULTILINE)


async def test_another_command_cancels_the_job(
    handover: Handover, start_command: StartCommand, services: TestServices, tmp_path: Path
) -> None:
    running = await start_command("import", "lowdb", library(tmp_path, MANY), environment=SLOWLY)
    job_id = await wait_for(lambda: loading(services), 120, message="the import does not begin")
    second = await handover("import", "lowdb", library(tmp_path, 1))
    assert second.code == 1
    assert job_id in second.err
    asked = await handover("jobs", "cancel", job_id)
    assert asked.code == 0, asked.err
    outcome = await running.finish()
    assert outcome.code == 1
    assert "Import of library.json cancelled" in outcome.out
    late = await handover("jobs", "cancel", job_id)
    assert late.out.strip() == f"Job {job_id} is cancelled."


@pytest.mark.slow
async def test_a_running_server_shows_the_rows_in_its_next_read(
    live_server: StartServer, handover: Handover, tmp_path: Path
) -> None:
    server = await live_server({"DATABASE_URL": None, "REDIS_URL": None, "WORKERS": "2"})
    own = {"DATABASE_URL": None, "REDIS_URL": None, "DATA_DIR": str(server.data_dir)}
    async with server.client() as client:
        assert (await client.get("/api/items")).json()["count"] == 0
        outcome = await handover("import", "lowdb", library(tmp_path, 5), environment=own)
        assert outcome.code == 0, outcome.err
        for _ in range(10):
            assert (await client.get("/api/items")).json()["count"] == 5


async def test_an_unknown_job_is_one_sentence(handover: Handover) -> None:
    for action in ("show", "cancel"):
        outcome = await handover("jobs", action, "6f1c1b57-0f4e-4a8e-9f5b-1df1a5c59c52")
        assert outcome.code == 1
        assert outcome.err.splitlines()[-1].startswith("handover: Job with id 6f1c1b57")


def test_missing_clients_are_one_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "ENGINE_FOLDER", tmp_path)
    monkeypatch.setattr(sys, "argv", ["handover", "jobs", "list"])
    monkeypatch.setattr(gc, "set_threshold", lambda _: None)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 1
    sentence = "handover: The Prisma clients have not been generated; run `make setup`.\n"
    assert capsys.readouterr().err == sentence


def test_an_old_python_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 9, 18))
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(ROOT / "core" / "__init__.py"))
    assert str(ended.value.code).startswith("Handover needs Python 3.11 or newer, but this is Python 3.9;")


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2, "0 s"), (59.4, "59 s"), (125, "2:05"), (3725, "1:02:05"), (-1, "0 s")]
)
def test_durations_are_short(seconds: float, text: str) -> None:
    assert duration(seconds) == text


async def test_in_another_folder_commands_make_no_second_data_folder(
    handover: Handover, tmp_path: Path
) -> None:
    """Without DATA_DIR and DATABASE_URL; `db` and `serve` are how one begins."""
    file = library(tmp_path, 1)
    here = {"DATA_DIR": None, "DATABASE_URL": None, "REDIS_URL": "memory"}
    for arguments in (("import", "lowdb", file), ("export", "lowdb", file), ("jobs", "list"), ("demo",)):
        outcome = await handover(*arguments, environment=here)
        assert outcome.code == 1
        assert outcome.err == (
            f"handover: There is no data in {tmp_path / '.data'}; start in the server's folder, "
            "or set DATA_DIR to make a new one here.\n"
        )
        assert not (tmp_path / ".data").exists()


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (None, "{data} (embedded PostgreSQL)"),
        (
            "postgresql://me:secret@db.example:5433/bank?sslmode=require",
            "postgresql://me@db.example:5433/bank",
        ),
        ("postgresql://db.example/bank?password=secret", "postgresql://db.example/bank"),
        ("postgresql:///bank?host=/run/pg&user=me&password=secret", "postgresql:///run/pg/bank"),
    ],
)
def test_the_database_is_named_without_its_password(
    url: str | None, shown: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings = Settings(data_dir=tmp_path).model_copy(update={"database_url": url})
    assert command.database_name(settings) == shown.format(data=tmp_path)


async def test_a_summary_names_the_database(
    handover: Handover, services: TestServices, tmp_path: Path
) -> None:
    outcome = await handover("import", "lowdb", library(tmp_path, 1))
    database = command.database_name(Settings(database_url=services.database_url))
    assert f"database  {database}\n" in outcome.out
