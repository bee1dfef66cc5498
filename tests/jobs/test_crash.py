"""A process that dies in the middle of a job."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from core.database.client import Database
from core.settings import Settings
from tests.fixtures.waiting import wait_for
from tests.jobs.conftest import MakeJobs
from tests.jobs.handlers import CALLER, written

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
ROWS = 150

StartWorker = Callable[..., Awaitable[asyncio.subprocess.Process]]


@pytest.fixture
async def start_worker(settings: Settings, tmp_path: Path) -> AsyncIterator[StartWorker]:
    started: list[asyncio.subprocess.Process] = []

    async def start(*arguments: str) -> asyncio.subprocess.Process:
        assert settings.database_url is not None
        environment = {
            **os.environ,
            "DATABASE_URL": settings.database_url,
            "REDIS_URL": "memory",
            "DATA_DIR": str(tmp_path),
            "JOB_LEASE_S": "2",
            "JOB_HEARTBEAT_S": "0.4",
        }
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.jobs.worker", *arguments, cwd=ROOT, env=environment
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_kill_minus_nine_and_restart_writes_every_row_exactly_once(
    make_jobs: MakeJobs, db: Database, start_worker: StartWorker
) -> None:
    here = make_jobs()
    job = await here.enqueue(db, "test.count", {"total": ROWS, "pace": 0.01}, CALLER)
    doomed = await start_worker(job.id)

    async def well_begun() -> bool:
        assert doomed.returncode is None, "the worker ended too early"
        return len(await written(db, job.id)) >= 20

    await wait_for(well_begun, 30)
    doomed.send_signal(signal.SIGKILL)
    await doomed.wait()
    left = await here.get(job.id)
    assert left.state == "running"
    kept = await written(db, job.id)
    assert 20 <= len(kept) < ROWS

    await start_worker()

    async def ended() -> bool:
        return (await here.get(job.id)).ended

    await wait_for(ended, 30)
    finished = await here.get(job.id)
    assert (finished.state, finished.done) == ("succeeded", ROWS)
    assert finished.result is not None
    assert int(str(finished.result["from"])) >= len(kept), "it must go on, not begin again"
    assert finished.fencing_token == 2
    assert await written(db, job.id) == list(range(ROWS))
    events = [event async for event in here.follow(job.id)]
    assert [event.sequence for event in events] == list(range(1, finished.last_event + 1))
