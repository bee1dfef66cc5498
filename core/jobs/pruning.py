"""Pruning: jobs that the clock begins and that delete what is old, batch by batch."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Final

from core.jobs import queries
from core.jobs.context import JobContext
from core.jobs.kinds import JobKind
from core.jobs.views import JsonObject

BATCH: Final = 1000
"""Upper bound of the jobs deleted in one transaction."""


def pruning(kind: str, every: timedelta, delete: Callable[[JobContext], Awaitable[int]]) -> JobKind:
    """Kind of a job that calls `delete`, which returns how many rows it has deleted, until there are none."""

    async def run(context: JobContext) -> JsonObject:
        deleted = 0
        while batch := await delete(context):
            deleted += batch
            await context.progress(done=deleted)
            await context.raise_if_stopping()
        return {"deleted": deleted}

    return JobKind(kind, run, exclusive=True, every=every)


def pruning_of_jobs(kinds: Iterable[JobKind]) -> JobKind:
    """Kind of the job that deletes jobs that ended longer ago than JOBS_RETENTION_DAYS, if that is not 0. It
    spares the jobs of those kinds that are `kept`.
    """
    kept = [kind.kind for kind in kinds if kind.kept]

    async def delete(context: JobContext) -> int:
        days = context.settings.jobs_retention_days
        return days and await queries.delete_ended(context.db, days, kept=kept, limit=BATCH)

    daily = pruning("jobs.prune", timedelta(days=1), delete)
    return replace(daily, scheduled=lambda settings: {} if settings.jobs_retention_days else None)
