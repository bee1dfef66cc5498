"""Runners with short leases, on the test's database."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Final

import pytest

from core.cache import Cache
from core.database.client import Database
from core.jobs import Delays, JobKind, Jobs
from core.settings import Settings
from tests.jobs.handlers import COUNT, CREATE_ROWS, EXCLUSIVE

MakeJobs = Callable[..., Jobs]

QUICK: Final = Delays(pickup=0.0, poll=0.05, clock=0.05, retry=0.01)


@pytest.fixture
def job_settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"job_lease_s": 30.0, "job_heartbeat_s": 0.1, "shutdown_grace_s": 3})


@pytest.fixture
async def make_jobs(db: Database, job_settings: Settings) -> AsyncIterator[MakeJobs]:
    """A runner as another process would have it: `make_jobs(kind, ..., lease_s=1.0, heartbeat_s=0.1)`."""
    await db.execute_raw(CREATE_ROWS)
    await db.execute_raw("TRUNCATE job_test_rows")
    made: list[Jobs] = []

    def make(
        *kinds: JobKind,
        lease_s: float = 30.0,
        heartbeat_s: float = 0.1,
        stopping: asyncio.Event | None = None,
        delays: Delays = QUICK,
    ) -> Jobs:
        settings = job_settings.model_copy(update={"job_lease_s": lease_s, "job_heartbeat_s": heartbeat_s})
        cache = Cache(settings)
        jobs = Jobs(db, cache, settings, kinds or (COUNT, EXCLUSIVE), stopping=stopping, delays=delays)
        made.append(jobs)
        return jobs

    yield make
    for jobs in made:
        await jobs.stop()


@pytest.fixture
def jobs(make_jobs: MakeJobs) -> Jobs:
    return make_jobs()
