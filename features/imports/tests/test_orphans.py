"""Commands that are killed while no server runs: the next one carries on what they began, and says so."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from features.imports.tests.conftest import Held
from features.imports.tests.factories import lowdb, many, write
from tests.fixtures.commands import Handover, StartCommand
from tests.fixtures.waiting import wait_for

if TYPE_CHECKING:
    import asyncpg

pytestmark = pytest.mark.slow

ENVIRONMENT = {"IMPORT_BATCH_ROWS": "10"}
RECORDS = many(100)

Kill = Callable[[], Awaitable[str]]


@pytest.fixture
def kill(start_command: StartCommand, held_at: Held, sql: "asyncpg.Connection", tmp_path: Path) -> Kill:
    """Kills an import in its middle; the id of its job."""

    async def begin_and_kill() -> str:
        source = write(tmp_path, lowdb(RECORDS))
        async with held_at(str(RECORDS[55]["id"])) as waiting:
            running = await start_command("import", "lowdb", str(source), environment=ENVIRONMENT)
            await wait_for(waiting, 30)
            running.process.kill()
            await running.finish()
        assert await sql.fetchval("SELECT state FROM jobs") == "running"
        return str(await sql.fetchval("SELECT id FROM jobs"))

    return begin_and_kill


async def test_the_next_import_carries_it_on_first(
    kill: Kill, handover: Handover, sql: "asyncpg.Connection", tmp_path: Path
) -> None:
    """From its spool: the file may be gone."""
    job_id = await kill()
    (tmp_path / "library.json").unlink()
    other = write(tmp_path, lowdb(many(3, seed=2)), "other.json")
    outcome = await handover("import", "lowdb", str(other))
    assert outcome.code == 0, outcome.err
    assert f"Job {job_id} (import.lowdb) has lost its process and is carried on first." in outcome.out
    assert f"Job {job_id} succeeded" in outcome.out
    assert [row["state"] for row in await sql.fetch("SELECT state FROM jobs")] == ["succeeded"] * 2
    assert await sql.fetchval("SELECT count(*) FROM items") == 103


async def test_so_does_an_undo(kill: Kill, handover: Handover, sql: "asyncpg.Connection") -> None:
    job_id = await kill()
    outcome = await handover("import", "undo", job_id)
    assert outcome.code == 0, outcome.err
    assert await sql.fetchval("SELECT count(*) FROM items") == 0


async def test_it_can_be_cancelled(
    kill: Kill, handover: Handover, sql: "asyncpg.Connection", tmp_path: Path
) -> None:
    job_id = await kill()
    loaded = await sql.fetchval("SELECT count(*) FROM items")
    outcome = await handover("jobs", "cancel", job_id)
    assert outcome.out == f"Job {job_id} is cancelled.\n"
    assert await sql.fetchval("SELECT count(*) FROM items") == loaded
    outcome = await handover("import", "lowdb", str(tmp_path / "library.json"))
    assert (outcome.code, "lost its process" in outcome.out) == (0, False)


async def test_a_job_that_somebody_runs_is_left_to_them(
    start_command: StartCommand, handover: Handover, held_at: Held, tmp_path: Path
) -> None:
    source = write(tmp_path, lowdb(RECORDS))
    async with held_at(str(RECORDS[55]["id"])) as waiting:
        running = await start_command("import", "lowdb", str(source), environment=ENVIRONMENT)
        await wait_for(waiting, 30)
        outcome = await handover("import", "lowdb", str(source))
        assert outcome.code == 1
        assert "has not ended yet" in outcome.err
    assert (await running.finish()).code == 0
