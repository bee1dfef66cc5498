"""Health check of every system: a job, for whose end a request waits as long as requests may take."""

import asyncio
from dataclasses import dataclass
from typing import Final

from core.database.client import Database
from core.deps import ActorName
from core.jobs import JobConflict, Jobs, JobView
from features.systems.errors import CheckAllFailed, CheckAllStopped
from features.systems.schemas import CHECK_ALL_KIND, CheckedSystems, HealthCheckResult

ANSWER_WITHIN_S: Final = 20.0
"""Seconds after which the request is answered with the job, which goes on."""


@dataclass(frozen=True, slots=True)
class AllChecked:
    """Job that checks all systems. `results` in the order of the systems' ids; None if there are none."""

    job: JobView
    results: list[HealthCheckResult] | None


async def check_every(
    db: Database, jobs: Jobs, actor: ActorName, *, within_s: float | None = None
) -> AllChecked:
    """Check all systems, or join the running job. Raises CheckAllStopped or CheckAllFailed."""
    try:
        job_id = (await jobs.enqueue(db, CHECK_ALL_KIND, {}, actor)).id
    except JobConflict as running:
        job_id = running.job_id
    try:
        async with asyncio.timeout(ANSWER_WITHIN_S if within_s is None else within_s):
            job = await _ended(jobs, job_id)
    except TimeoutError:
        job = await jobs.get(job_id)
    if job.state == "failed":
        raise CheckAllFailed(job.error or "The systems could not be checked")
    if job.state == "cancelled":
        raise CheckAllStopped("The job that checked the systems was cancelled")
    if job.state != "succeeded":
        return AllChecked(job, None)
    return AllChecked(job, CheckedSystems.model_validate(job.checkpoint or {}).results)


async def _ended(jobs: Jobs, job_id: str) -> JobView:
    """The job when it has ended; not ended only if this process stops."""
    job = await jobs.run(job_id)
    if job.ended:
        return job
    async for _ in jobs.follow(job_id, job.last_event):
        pass
    return await jobs.get(job_id)
