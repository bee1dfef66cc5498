"""Kinds of job, which slices declare, those that delete what is old among them; and the clock, which enqueues
the kinds that have `every`, each time once in the whole cluster.

A kind's next time is a row of `job_clocks`. Whoever moves it on enqueues the job in the same transaction, so
that no second process does. It moves on from now: a late run is not followed by those that were missed.
"""

import asyncio
import random
import re
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import Final

import structlog

from core.database.client import Author, Database
from core.database.transaction import unit_of_work
from core.errors import Unavailable
from core.jobs import queries
from core.jobs.context import JobContext
from core.jobs.errors import JobConflict
from core.jobs.lease import pause
from core.jobs.views import JobView, JsonObject
from core.settings import Settings

Handler = Callable[[JobContext], Awaitable[JsonObject]]
Enqueue = Callable[[Database, str, JsonObject, Author], Awaitable[JobView]]

log = structlog.get_logger(__name__)

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


class Clock:
    """Clock of one process."""

    def __init__(
        self, db: Database, settings: Settings, kinds: Iterable[JobKind], enqueue: Enqueue, look_s: float
    ) -> None:
        self._db = db
        self._look_s = look_s
        self._enqueue = enqueue
        self.kinds = {
            kind.kind: (kind.every, arguments)
            for kind in kinds
            if kind.every is not None and (arguments := kind.scheduled(settings)) is not None
        }
        """Interval and arguments of each kind that it begins."""

    async def follow(self, stopping: asyncio.Event) -> None:
        """Enqueue due jobs until the process stops."""
        if not self.kinds:
            return
        await self._try(self._set)
        while not stopping.is_set():
            await self._try(self.begin_due)
            await pause(stopping, self._look_s * random.uniform(0.75, 1.25))

    async def begin_due(self) -> None:
        """Enqueue due jobs: a process, this or another, picks them up within seconds."""
        due = await queries.clocks_due(self._db, list(self.kinds))
        if len(due) < len(self.kinds):
            await self._set()
        for kind in [kind for kind, has_come in due.items() if has_come]:
            # One kind that cannot be begun does not hold up the others.
            await self._try(partial(self._begin, kind))

    async def _set(self) -> None:
        every_s = {kind: every.total_seconds() for kind, (every, _) in self.kinds.items()}
        await queries.set_clocks(self._db, every_s)

    async def _begin(self, kind: str) -> None:
        if (job := await unit_of_work(self._db, partial(self._enqueue_if_due, kind))) is not None:
            log.info("job.begun_by_clock", job_id=job.id, job_kind=kind)

    async def _enqueue_if_due(self, kind: str, tx: Database) -> JobView | None:
        every, arguments = self.kinds[kind]
        if not await queries.move_clock(tx, kind, every.total_seconds()):
            return None
        try:
            return await self._enqueue(tx, kind, arguments, Author("clock"))
        except JobConflict:
            return None

    async def _try(self, step: Callable[[], Awaitable[None]]) -> None:
        try:
            await step()
        except Unavailable as unavailable:
            log.warning("jobs.clock_unavailable", error=str(unavailable))
        except Exception:  # the clock goes on
            log.exception("jobs.clock_failed")
