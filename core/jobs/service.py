"""Background jobs of one process: enqueue, run, recover, cancel, read, follow."""

import asyncio
import contextvars
import random
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from functools import partial
from uuid import uuid4

import structlog

from core.cache import Cache
from core.database.client import Author, Database
from core.errors import Unavailable
from core.jobs import metrics, queries, statements
from core.jobs.clock import Clock
from core.jobs.context import Describe, JobContext
from core.jobs.errors import JobConflict, JobEnded, JobNotFound, job_id_of
from core.jobs.kinds import JobKind, pruning_of_jobs
from core.jobs.lease import Delays, Lease, is_dead, pause, place_of
from core.jobs.runner import Runner
from core.jobs.views import JobEventView, JobPage, JobState, JobView, JsonObject, Place
from core.observability.tracing import trace_context
from core.settings import Settings

ENQUEUE_TRIES = 5
FOLLOW_S = 0.3
MAX_RECOVERED_AT_ONCE = 4
ABORT_WAIT_S = 2.0

log = structlog.get_logger(__name__)


class Jobs:
    """Background jobs of one process. Everything that must survive it is in PostgreSQL.

    A process that only runs its own job (the command line) needs no `start`, but must `stop` before it
    closes `db`.
    `stopping`, when given, begins the stop as soon as it is set: jobs hand their leases back, followers end.
    `openapi` tells handlers what the running app publishes; a process without an app has none.
    """

    def __init__(
        self,
        db: Database,
        cache: Cache,
        settings: Settings,
        kinds: Iterable[JobKind],
        *,
        stopping: asyncio.Event | None = None,
        openapi: Describe | None = None,
        delays: Delays | None = None,
    ) -> None:
        self._db = db
        self._settings = settings
        declared = list(kinds)
        self._kinds = {kind.kind: kind for kind in (*declared, pruning_of_jobs(declared))}
        self._place = place_of(settings.data_dir)
        self._delays = delays or Delays()
        self._context_of = partial(JobContext, db=db, cache=cache, settings=settings, openapi=openapi)
        self._stopping = stopping or asyncio.Event()
        self.clock = Clock(db, settings, self._kinds.values(), self.enqueue, self._delays.clock)
        self._running: dict[asyncio.Task[None], Runner] = {}
        self._background: list[asyncio.Task[None]] = []
        self._draining: asyncio.Task[None] | None = None

    async def enqueue(self, db: Database, kind: str, arguments: JsonObject, actor: Author) -> JobView:
        """Write the job, with `db` bound to the caller's transaction or not. `run` it once that is committed.

        Raises JobConflict while a job of the same exclusive kind has not ended; the transaction stays usable.
        """
        declared = self._kinds[kind]
        exclusive_key = declared.exclusive_key
        for _ in range(ENQUEUE_TRIES):
            job = await queries.insert(
                db,
                str(uuid4()),
                kind,
                arguments,
                exclusive_key=exclusive_key,
                actor=actor.name,
                request_id=actor.request_id,
                pickup_delay_s=self._delays.pickup,
                place=self._place if declared.local else None,
                traceparent=trace_context(),
            )
            if job is not None:
                return job
            active = await queries.active_job(db, exclusive_key) if exclusive_key is not None else None
            if active is not None:
                raise JobConflict(kind, active)
        raise Unavailable(f"Jobs of kind {kind} begin and end too fast; try again")

    async def ask_database(self) -> None:
        """Raises unless the database answers, and would take a write; nothing is written or locked."""
        await self._db.query_raw(statements.WRITABLE)

    async def raise_if_taken(self, kind: str) -> None:
        """Raises JobConflict if `enqueue` would: a check before much work is done for the job."""
        key = self._kinds[kind].exclusive_key
        if key is not None and (active := await queries.active_job(self._db, key)) is not None:
            raise JobConflict(kind, active)

    async def is_orphaned(self, job_id: str) -> bool:
        """True if its lease has run out, or is that of a dead process of this host: `run` takes it over."""
        owner = (await self.get(job_id)).lease_owner
        dead = owner if owner and is_dead(owner) else None
        return await queries.expire_lease(self._db, job_id, dead) is not None

    async def run(self, job_id: str) -> JobView:
        """Run a job that nobody runs, to its end; returns its last state.

        A job that another process runs, or that has ended, is left alone. Cancelling the caller does not stop
        the job, `stop` does. Raises Unavailable when the database cannot be reached; it is picked up later.
        """
        if not self._stopping.is_set() and (task := await self._claim(job_id_of(job_id))) is not None:
            await asyncio.shield(task)
        return await self.get(job_id)

    async def run_after_answer(self, job_id: str) -> None:
        """Run a job as a background task; logs Unavailable, for the request is over."""
        try:
            await self.run(job_id)
        except Unavailable as unavailable:
            log.warning("job.left_for_recovery", job_id=job_id, error=str(unavailable))

    async def start(self) -> None:
        """Start to pick up jobs that lost their process, and to follow the clock."""
        self._background.append(asyncio.create_task(self._recover()))
        self._background.append(asyncio.create_task(self.clock.follow(self._stopping)))
        self._draining = asyncio.create_task(self._drain())

    async def stop(self) -> None:
        """Return when no job runs here any more, within `shutdown_grace_s` of the beginning of the stop."""
        self._stopping.set()
        await (self._draining or self._drain())
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)

    async def cancel(self, job_id: str, actor: Author) -> JobView:
        """Cancel a queued job, or request it of a running one; the log says who. Raises JobNotFound and
        JobEnded.
        """
        job = await queries.cancel(self._db, job_id_of(job_id))
        if job is None:
            job = await self.get(job_id)
            if job.state in ("succeeded", "failed"):
                raise JobEnded(job_id, job.state)
        for runner in self._running.values():
            if runner.job.id == job.id:
                runner.signals.cancel_requested = True
        log.info("job.cancel_requested", job_id=job.id, job_kind=job.kind, actor=actor.name)
        return job

    async def get(self, job_id: str) -> JobView:
        job = await queries.get(self._db, job_id_of(job_id))
        if job is None:
            raise JobNotFound(job_id)
        return job

    async def list(
        self,
        *,
        kind: str | Sequence[str] = (),
        state: JobState | None = None,
        limit: int | None = None,
        offset: int = 0,
        after: Place = None,
    ) -> JobPage:
        """Page of jobs, newest first. `total` counts all that match, also those before `after`."""
        kinds = [kind] if isinstance(kind, str) else kind
        return await queries.page(self._db, kinds, state, limit, offset, after)

    async def about(self, kind: str, argument: str, values: Sequence[str]) -> Sequence[JobView]:
        """Jobs of the kind whose argument is one of the values, oldest first."""
        return await queries.about(self._db, kind, argument, values)

    async def events_after(self, job_id: str, sequence: int) -> Sequence[JobEventView]:
        """The next events, oldest first; at most 500, so ask again until none come."""
        return await self.events_of({job_id_of(job_id): sequence})

    async def events_of(self, after: Mapping[str, int]) -> Sequence[JobEventView]:
        """The next events of several jobs, each after its number, its oldest first; at most 500 in all."""
        return await queries.events_of(self._db, after)

    async def follow(self, job_id: str, after: int = 0) -> AsyncIterator[JobEventView]:
        """Events after that number, as they come: ends after the final one, and when we stop. For one that
        follows; where many do, one reader feeds them (`features.jobs`).
        """
        while not self._stopping.is_set():
            rest_s = FOLLOW_S
            events: Sequence[JobEventView] = ()
            try:
                events = await self.events_after(job_id, after)
            except Unavailable as unavailable:
                log.warning("jobs.follow_unavailable", error=str(unavailable))
                rest_s = self._delays.retry
            for event in events:
                yield event
                after = event.sequence
                if event.final:
                    return
            if not events:
                await pause(self._stopping, rest_s)

    def public_arguments(self, job: JobView) -> JsonObject:
        """Arguments that may be shown; none of a kind that this process does not know."""
        kind = self._kinds.get(job.kind)
        names = kind.public_arguments if kind is not None else ()
        return {name: job.arguments[name] for name in names if name in job.arguments}

    async def _claim(self, job_id: str | None = None) -> asyncio.Task[None] | None:
        """The task of this job or, without an id, of that which has lacked a runner for longest; None if
        there is none. Its context is its own: no request's deadline, log fields or query count.
        """
        lease = Lease(self._settings)
        claim = queries.claim_next if job_id is None else partial(queries.claim, job_id=job_id)
        job = await claim(
            self._db,
            kinds=list(self._kinds),
            owner=lease.owner,
            lease_s=lease.seconds,
            place=self._place,
        )
        if job is None:
            return None
        metrics.CLAIMS.labels(job.kind, "recovery" if job_id is None else "request").inc()
        runner = Runner(
            job,
            self._kinds[job.kind],
            db=self._db,
            context_of=self._context_of,
            stopping=self._stopping,
            lease=lease,
            retry_s=self._delays.retry,
        )
        task = asyncio.create_task(runner.run(), name=f"job {job.id}", context=contextvars.Context())
        self._running[task] = runner
        task.add_done_callback(self._forget)
        return task

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._running.pop(task, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("job.runner_crashed", exc_info=error)

    async def _recover(self) -> None:
        while not self._stopping.is_set():
            try:
                await self._pick_up()
            except Unavailable as unavailable:
                log.warning("jobs.recovery_unavailable", error=str(unavailable))
            except Exception:  # the next look may succeed
                log.exception("jobs.recovery_failed")
            await pause(self._stopping, self._delays.poll * random.uniform(0.75, 1.25))

    async def _pick_up(self) -> None:
        while len(self._running) < MAX_RECOVERED_AT_ONCE and not self._stopping.is_set():
            if await self._claim() is None:
                return

    async def _drain(self) -> None:
        """Handlers that do not stop in time, at their next batch, are cut off where they stand."""
        await self._stopping.wait()
        grace = max(self._settings.shutdown_grace_s - ABORT_WAIT_S, self._settings.shutdown_grace_s / 2)
        if self._running:
            await asyncio.wait(set(self._running), timeout=grace)
        for runner in list(self._running.values()):
            runner.abort()
        if self._running:
            await asyncio.wait(set(self._running), timeout=ABORT_WAIT_S)
        for task in list(self._running):
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
