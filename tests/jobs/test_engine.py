"""The query engine dies under a running job."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial

import pytest

from core.cache import Cache
from core.database.client import Database
from core.jobs import Jobs
from core.settings import Settings
from tests.fixtures.waiting import wait_for
from tests.jobs.conftest import QUICK, MakeJobs
from tests.jobs.handlers import CALLER, COUNT, written

ROWS = 150


@pytest.fixture
async def own_db(db: Database, settings: Settings) -> AsyncIterator[Database]:
    """A client whose engine may be killed."""
    database = Database.from_settings(settings)
    await database.connect()
    yield database
    await database.disconnect()


async def test_a_background_task_without_a_database_leaves_the_job_to_others(
    make_jobs: MakeJobs, db: Database, own_db: Database, job_settings: Settings
) -> None:
    others = make_jobs()
    jobs = Jobs(own_db, Cache(job_settings), job_settings, [COUNT])
    job = await others.enqueue(db, "test.count", {"total": 1}, CALLER)
    pid = own_db.engine.status.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    run = asyncio.create_task(jobs.run_after_answer(job.id))
    await asyncio.sleep(0)
    os.kill(pid, signal.SIGKILL)
    await run
    assert (await others.get(job.id)).state == "queued"
    assert (await others.run(job.id)).state == "succeeded"


@pytest.mark.slow
async def test_the_job_goes_on_when_the_engine_is_back(
    make_jobs: MakeJobs,
    db: Database,
    own_db: Database,
    job_settings: Settings,
) -> None:
    watching = make_jobs()
    delays = replace(QUICK, retry=0.05)
    jobs = Jobs(own_db, Cache(job_settings), job_settings, [COUNT], delays=delays)
    job = await jobs.enqueue(own_db, "test.count", {"total": ROWS, "pace": 0.005}, CALLER)
    run = asyncio.create_task(jobs.run(job.id))

    async def further(than: int) -> bool:
        return len(await written(db, job.id)) > than

    for _ in range(3):
        seen = len(await written(db, job.id))
        await wait_for(partial(further, seen + 20))
        pid = own_db.engine.status.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
    ended = await run
    assert (ended.state, ended.error, ended.done) == ("succeeded", None, ROWS)
    # A kill that falls between two requests of the job costs it no attempt.
    assert 2 <= ended.fencing_token <= 4
    assert await written(db, job.id) == list(range(ROWS))
    assert (await watching.get(job.id)).result == ended.result
