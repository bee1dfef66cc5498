"""The runner of one claimed job: it keeps the lease, tells the handler to stop, and writes how it ended."""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from core.database.client import Database
from core.errors import HandoverError, Unavailable
from core.jobs import metrics, queries
from core.jobs.context import JobContext, Signals
from core.jobs.errors import JobCancelled, JobFailed, JobInterrupted, LeaseLost
from core.jobs.kinds import JobKind
from core.jobs.lease import Lease, pause
from core.jobs.views import Counts, JobState, JobView, JsonObject
from core.observability.tracing import linked_span

MAX_ATTEMPTS = 5
INTERNAL_ERROR = "The job stopped because of an internal error; the log has the details under its id"
ENDED_EVENTS = {"succeeded": "job.succeeded", "failed": "job.failed", "cancelled": "job.cancelled"}

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of an attempt. State `queued`: handed back; None: the lease is lost, nothing may be written."""

    state: JobState | None
    result: JsonObject | None = None
    error: str | None = None


class Runner:
    """Runner of one job in one process, from its claim to its end. `run` raises only CancelledError."""

    def __init__(
        self,
        job: JobView,
        kind: JobKind,
        *,
        db: Database,
        context_of: Callable[[JobView, Signals], JobContext],
        stopping: asyncio.Event,
        lease: Lease,
        retry_s: float,
    ) -> None:
        self.job = job
        self.signals = Signals(stopping, cancel_requested=job.cancel_requested)
        self._kind = kind
        self._db = db
        self._context_of = context_of
        self._lease = lease
        self._retry_s = retry_s
        self._context: JobContext | None = None
        self._work: asyncio.Future[JsonObject] | None = None
        self._aborted = False
        self._token = asyncio.Lock()
        """Lock of the token while it changes or the heartbeat uses it: an old one would count as lost."""

    async def run(self) -> None:
        """Run the job. The heartbeat goes on until the end is recorded: the lease must not be lost before."""
        structlog.contextvars.bind_contextvars(
            job_id=self.job.id, job_kind=self.job.kind, request_id=self.job.request_id
        )
        log.info(
            "job.started" if self.job.fencing_token == 1 else "job.resumed",
            attempt=self.job.attempts,
            token=self.job.fencing_token,
            actor=self.job.actor,
        )
        heartbeat = asyncio.create_task(self._heartbeat())
        try:
            with (
                metrics.RUNNING.labels(self.job.kind).track_inprogress(),
                linked_span(f"job {self.job.kind}", self.job.traceparent, **{"handover.job.id": self.job.id}),
            ):
                await self._settle(await self._outcome())
        finally:
            heartbeat.cancel()
            await asyncio.gather(heartbeat, return_exceptions=True)

    def abort(self) -> None:
        """Cancel the handler: the grace time is over. Its open transaction rolls back."""
        self._aborted = True
        if self._work is not None:
            self._work.cancel()

    async def _outcome(self) -> Outcome:
        """Outcome of the first attempt that does not fail because a dependency is down."""
        reason = "each time its process died"
        while self.job.attempts <= MAX_ATTEMPTS:
            try:
                return await self._attempt()
            except Unavailable as unavailable:
                log.warning("job.attempt_failed", attempt=self.job.attempts, error=str(unavailable))
                reason = str(unavailable)
            self._context = None
            if (stopped := await self._retry()) is not None:
                return stopped
        return Outcome("failed", error=f"Given up after {MAX_ATTEMPTS} attempts without progress: {reason}")

    async def _attempt(self) -> Outcome:
        if self.signals.cancel_requested:
            return Outcome("cancelled")
        self._context = self._context_of(self.job, self.signals)
        self._work = asyncio.ensure_future(self._kind.run(self._context))
        try:
            await asyncio.wait({self._work})
        except asyncio.CancelledError:
            self._work.cancel()
            await asyncio.wait({self._work})
            raise
        try:
            return Outcome("succeeded", result=self._work.result())
        except (LeaseLost, JobInterrupted, JobCancelled, asyncio.CancelledError) as stopped:
            return self._stopped(stopped)
        except Unavailable:
            raise
        except JobFailed as failed:
            return Outcome("failed", error=failed.message, result=failed.result)
        except HandoverError as error:
            return Outcome("failed", error=error.message)
        except Exception:  # a fault of the handler ends its job, not the process
            log.exception("job.crashed")
            return Outcome("failed", error=INTERNAL_ERROR)

    def _stopped(self, reason: BaseException) -> Outcome:
        if self.signals.lease_lost:
            return Outcome(None)
        if isinstance(reason, JobCancelled):
            return Outcome("cancelled")
        if isinstance(reason, JobInterrupted) or self._aborted:
            return Outcome("queued")
        log.error("job.crashed", reason=repr(reason))
        return Outcome("failed", error=INTERNAL_ERROR)

    async def _retry(self) -> Outcome | None:
        """Wait for the dependency, then begin another attempt from the job's newest state (None)."""
        await pause(self.signals.stopping, self._retry_s * 2 ** min(self.job.attempts - 1, 4))
        # Until an answer comes nobody knows the token: a lost one may have brought a new one.
        async with self._token:
            while not self.signals.lease_lost:
                if self.signals.stopping.is_set():
                    return Outcome("queued")
                sent_at = time.monotonic()
                try:
                    job = await queries.retry(
                        self._db, self.job.id, self._lease.owner, lease_s=self._lease.seconds
                    )
                except Unavailable as unavailable:
                    log.warning("job.retry_failed", error=str(unavailable))
                    await pause(self.signals.stopping, self._retry_s)
                    continue
                if job is None:
                    break
                self.job, self._lease.renewed_at = job, sent_at
                cancelled = self.signals.cancel_requested or job.cancel_requested
                self.signals = Signals(self.signals.stopping, cancel_requested=cancelled)
                return None
        return Outcome(None)

    async def _heartbeat(self) -> None:
        """Keep the lease until cancelled. When it ran out or is lost, the handler is stopped at once: from
        then on another process may run the job.
        """
        await self._lease.keep(self._renew)
        self.signals.lease_lost = True
        if self._work is not None:
            self._work.cancel()

    async def _renew(self) -> None:
        async with self._token:
            sent_at = time.monotonic()
            job = await queries.renew(
                self._db, self.job.id, self.job.fencing_token, lease_s=self._lease.seconds
            )
            if job is None or self.signals.lease_lost:
                raise LeaseLost
            self._lease.renewed_at = sent_at
            self.signals.cancel_requested |= job.cancel_requested
            if self._context is not None:
                await self._context.flush()

    async def _settle(self, outcome: Outcome) -> None:
        if outcome.state is None or not await self._written(outcome):
            metrics.LEASES_LOST.labels(self.job.kind).inc()
            log.warning("job.lease_lost", token=self.job.fencing_token)

    async def _written(self, outcome: Outcome) -> bool:
        """Record the outcome; False if another runner has the job. A lost answer does not matter."""
        while True:
            try:
                job = await self._write(outcome) or await queries.get(self._db, self.job.id)
            except Unavailable as unavailable:
                log.warning("job.settle_failed", state=outcome.state, error=str(unavailable))
                if self.signals.lease_lost:
                    return False
                await asyncio.sleep(self._retry_s)
                continue
            except Exception:  # the outcome cannot be stored: that it failed can
                log.exception("job.settle_failed", state=outcome.state)
                if outcome.error == INTERNAL_ERROR:
                    return False
                outcome = Outcome("failed", error=INTERNAL_ERROR)
                continue
            if job is None or job.fencing_token != self.job.fencing_token or job.state != outcome.state:
                return False
            self._report(job)
            return True

    async def _write(self, outcome: Outcome) -> JobView | None:
        job_id, token = self.job.id, self.job.fencing_token
        assert outcome.state is not None
        if outcome.state == "queued":
            return await queries.hand_back(self._db, job_id, token)
        return await queries.finish(
            self._db,
            job_id,
            token,
            outcome.state,
            result=outcome.result,
            error=outcome.error and _storable(outcome.error),
            counts=self._context.counts if self._context is not None else Counts(),
        )

    def _report(self, job: JobView) -> None:
        if job.finished_at is None:
            log.info("job.handed_back", phase=job.phase, done=job.done)
            return
        seconds = (job.finished_at - (job.started_at or job.created_at)).total_seconds()
        metrics.ENDED.labels(job.kind, job.state).inc()
        metrics.DURATION.labels(job.kind).observe(seconds)
        log.log(
            _level(job),
            ENDED_EVENTS[job.state],
            done=job.done,
            total=job.total,
            rejected=job.rejected,
            seconds=round(seconds, 3),
            attempts=job.attempts,
            error=job.error,
            result=job.result,
        )


def _level(job: JobView) -> int:
    """The log level of an end: a handler's reason to give up is told to whoever asked for the job; only a
    fault of ours is an error.
    """
    if job.state != "failed":
        return logging.INFO
    return logging.ERROR if job.error == INTERNAL_ERROR else logging.WARNING


def _storable(text: str) -> str:
    """Text that the database can store: messages may repeat input with NUL or lone surrogates."""
    return text.replace("\0", "?").encode("utf-8", "replace").decode()
