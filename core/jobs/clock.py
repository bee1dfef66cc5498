"""Clock of jobs: enqueues the kinds that have `every`, each time once in the whole cluster.

A kind's next time is a row of `job_clocks`. Whoever moves it on enqueues the job in the same transaction, so
that no second process does. It moves on from now: a late run is not followed by those that were missed.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable
from functools import partial

import structlog

from core.database.client import Author, Database
from core.database.transaction import unit_of_work
from core.errors import Unavailable
from core.jobs import queries
from core.jobs.errors import JobConflict
from core.jobs.kinds import JobKind
from core.jobs.lease import pause
from core.jobs.views import JobView, JsonObject
from core.settings import Settings

Enqueue = Callable[[Database, str, JsonObject, Author], Awaitable[JobView]]

log = structlog.get_logger(__name__)


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
