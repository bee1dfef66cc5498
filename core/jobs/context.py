"""The context of a job's handler: its arguments, the only ways in which it may touch its own row, and its
pace.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from core.cache import Cache
from core.database.client import Database
from core.jobs import queries
from core.jobs.errors import JobCancelled, JobInterrupted, LeaseLost
from core.jobs.views import Counts, EventKind, JobView, JsonObject
from core.settings import Settings

WINDOW_S = 10.0
RESOLUTION_S = 0.1

PROGRESS_INTERVAL_S = 0.2
Describe = Callable[[], JsonObject]
"""Returns the OpenAPI document of the running app."""


class Meter:
    """Meter of rows per second over the last seconds of the phase, so that a slow start is soon forgotten."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, int]] = deque()

    def restart(self, done: int) -> None:
        """Begin a phase, or resume it from a checkpoint, at `done`."""
        self._samples.clear()
        self._samples.append((time.monotonic(), done))

    def sample(self, done: int) -> None:
        now = time.monotonic()
        if len(self._samples) > 1 and now - self._samples[-2][0] < RESOLUTION_S:
            self._samples.pop()
        self._samples.append((now, done))
        while len(self._samples) > 2 and now - self._samples[0][0] > WINDOW_S:
            self._samples.popleft()

    @property
    def rate(self) -> float | None:
        """Rows per second; None until something has been done."""
        if len(self._samples) < 2:
            return None
        (since, before), (now, done) = self._samples[0], self._samples[-1]
        if now <= since or done <= before:
            return None
        return round((done - before) / (now - since), 1)

    def seconds_left(self, total: int | None) -> float | None:
        rate = self.rate
        if rate is None or total is None or not self._samples:
            return None
        return round(max(total - self._samples[-1][1], 0) / rate, 1)


@dataclass(slots=True)
class Signals:
    """The reasons why a handler has to stop. Set by the runner and its heartbeat, read by the context."""

    stopping: asyncio.Event
    lease_lost: bool = False
    cancel_requested: bool = False


class JobContext:
    """Attempt to run one job. `job` is the view at the time of the claim; `job.checkpoint` is where it
    resumes. A file that an earlier attempt could still be writing needs `job.fencing_token` in its name.
    `openapi` returns the running app's document, and is None in a process without an app.
    """

    def __init__(
        self,
        job: JobView,
        signals: Signals,
        *,
        db: Database,
        cache: Cache,
        settings: Settings,
        openapi: Describe | None = None,
    ) -> None:
        self.job = job
        self.db = db
        self.cache = cache
        self.settings = settings
        self.openapi = openapi
        self.counts = Counts()
        self._signals = signals
        self._phase = job.phase
        self._meter = Meter()
        self._meter.restart(job.done)
        self._written_at = float("-inf")
        self._unwritten = False

    async def progress(
        self,
        *,
        phase: str | None = None,
        done: int | None = None,
        total: int | None = None,
        rejected: int | None = None,
    ) -> None:
        """Report progress: one numbered event, at most five a second except for a new phase.

        A new phase starts at `done` = 0 unless told otherwise; `total` is kept. It is a statement of its own:
        never call it inside a transaction that has already written a checkpoint, it would wait for that
        transaction's lock. Raises LeaseLost when the job is no longer ours.
        """
        new_phase = phase is not None and phase != self._phase
        if new_phase:
            self._phase = phase
            done = 0 if done is None else done
            self._meter.restart(done)
        if done is not None:
            self.counts.done = done
            self._meter.sample(done)
        if total is not None:
            self.counts.total = total
        if rejected is not None:
            self.counts.rejected = rejected
        self._unwritten = True
        if new_phase or time.monotonic() - self._written_at >= PROGRESS_INTERVAL_S:
            await self._write("phase" if new_phase else "progress")

    async def find(self, job_id: str) -> JobView | None:
        """Job by id, another one too."""
        return await queries.get(self.db, job_id)

    async def checkpoint(
        self, tx: Database, data: JsonObject, *, done: int | None = None, rejected: int | None = None
    ) -> None:
        """Store the point from which a run resumes, in the transaction that did the work.

        Raises LeaseLost when somebody else has claimed the job: let it pass, to roll the transaction back.
        """
        self._raise_if_lost()
        changed = await queries.checkpoint(
            tx, self.job.id, self.job.fencing_token, data, done=done, rejected=rejected
        )
        self._observe(changed)
        # From here on the row knows better than this object: it has these figures if the transaction commits.
        if done is not None:
            self.counts.done = None
            self._meter.sample(done)
        if rejected is not None:
            self.counts.rejected = None

    async def raise_if_stopping(self) -> None:
        """Raises LeaseLost, JobCancelled or JobInterrupted if the handler has to stop. Call it between two
        batches; let them pass.
        """
        await asyncio.sleep(0)
        self._raise_if_lost()
        if self._signals.cancel_requested:
            raise JobCancelled
        if self._signals.stopping.is_set():
            raise JobInterrupted

    async def flush(self) -> None:
        """Write the progress that the throttle has held back, if any."""
        if self._unwritten:
            await self._write("progress")

    async def _write(self, event: EventKind) -> None:
        self._raise_if_lost()
        self._written_at = time.monotonic()
        self._unwritten = False
        total = self.job.total if self.counts.total is None else self.counts.total
        changed = await queries.advance(
            self.db,
            self.job.id,
            self.job.fencing_token,
            phase=self._phase,
            counts=self.counts,
            event=event,
            rate=self._meter.rate,
            seconds_left=self._meter.seconds_left(total),
        )
        self._observe(changed)

    def _observe(self, changed: JobView | None) -> None:
        if changed is None:
            self._signals.lease_lost = True
            raise LeaseLost
        self._signals.cancel_requested |= changed.cancel_requested

    def _raise_if_lost(self) -> None:
        if self._signals.lease_lost:
            raise LeaseLost
