"""Kinds of job, which slices declare, those that delete what is old among them."""

import re
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from core.jobs import queries
from core.jobs.context import JobContext
from core.jobs.views import JsonObject
from core.settings import Settings

Handler = Callable[[JobContext], Awaitable[JsonObject]]

BATCH: Final = 1000
"""Upper bound of the jobs deleted in one transaction."""


@dataclass(frozen=True, slots=True)
class JobKind:
    """Kind of job. `kind` is dotted and permanent: it is stored in rows. `run` may be called again for the
    same job after a crash and resumes from `context.job.checkpoint`; its return value is the job's result. It
    fails with JobFailed or any HandoverError; after Unavailable it is called again. `exclusive`: only one job
    of the kind may be queued or running; a name instead: one of all kinds that give the same name. `local`:
    the job needs files of the data folder it was enqueued in; only processes that share it run it.
    `public_arguments` names the arguments that the API shows; the others (paths, for example) stay inside.
    `every`: begun by the clock, once in the whole cluster, with the arguments that `scheduled` makes of the
    settings; where that gives None, the clock leaves the kind out. `kept`: its jobs are referred to, so they
    are not deleted when they are old.
    """

    kind: str
    run: Handler
    exclusive: bool | str = False
    local: bool = False
    public_arguments: tuple[str, ...] = ()
    every: timedelta | None = None
    scheduled: Callable[[Settings], JsonObject | None] = lambda settings: {}
    kept: bool = False

    @property
    def exclusive_key(self) -> str | None:
        return self.kind if self.exclusive is True else self.exclusive or None

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z][a-z0-9_-]*(\.[a-z][a-z0-9_-]*)+", self.kind):
            raise ValueError(f"A job kind is a dotted lower-case name, not {self.kind!r}")


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
