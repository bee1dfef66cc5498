"""The sender: one run of the job `webhooks.deliver`. All that it writes is fenced by the job's token."""

import asyncio
import time
from collections import Counter, defaultdict
from typing import Final

import structlog

from core.database.client import Database
from core.database.transaction import unit_of_work
from core.errors import Unavailable
from core.http.request.fields import now, to_iso
from core.jobs import JobCancelled, JobContext, JobInterrupted, JsonObject
from features.changes import api as changes
from features.systems.api import FetchError, webhook_fetcher
from features.webhooks import sql
from features.webhooks.delivery import metrics
from features.webhooks.delivery.materialise import materialise
from features.webhooks.delivery.pace import AT_ONCE, Pace, delay_s
from features.webhooks.delivery.signature import signed_headers
from features.webhooks.queries import deliveries, registry
from features.webhooks.schemas import Due, Outcome, State
from features.webhooks.settings import WebhookSettings

TIMEOUT_S: Final = 15.0
"""Limit of one request, as the specification recommends."""
BATCH: Final = 1000
"""Upper bound of the deliveries that are made in one transaction: it has to be short."""
LOOK_S: Final = 0.5
"""Interval of looks for what has become due, or was turned on, where nothing else tells."""
COUNT_S: Final = 10.0
RETRY_S: Final = 1.0
STOP_S: Final = 5.0
"""Seconds that requests which are under way get at a stop."""
_GONE: Final = 410
_INTERNAL_ERROR: Final = "Could not be sent because of an internal error; the log has the details"

log = structlog.get_logger(__name__)


class Sender:
    """Sender of one run. What is in memory here is only pace; another process begins without it."""

    def __init__(self, context: JobContext) -> None:
        self._context = context
        self._db = context.db.acting_as(context.job.asked_by)
        self._fetcher = webhook_fetcher(context.settings, timeout_s=TIMEOUT_S)
        self._retry_s = context.settings.of(WebhookSettings).webhook_retry_hours * 3600
        self._sending: dict[asyncio.Task[Outcome], Due] = {}
        self._paces: defaultdict[str, Pace] = defaultdict(Pace)
        self._delivered = context.job.done
        self._positions: list[int] = []
        """Positions of active webhooks, the earliest first, as they were at `_asked_at`."""
        self._asked_at = self._read_at = self._look_at = self._count_at = 0.0

    async def run(self) -> JsonObject:
        """Send until no webhook is active. A database that is away is waited for while the lease lasts."""
        try:
            while True:
                await self._context.raise_if_stopping()
                try:
                    if not await self._turn():
                        return {"delivered": self._delivered}
                except Unavailable as unavailable:
                    log.warning("webhooks.waiting_for_database", error=str(unavailable))
                    await asyncio.sleep(RETRY_S)
        except (JobInterrupted, JobCancelled):
            if self._sending:
                await asyncio.wait(self._sending, timeout=STOP_S)
                await self._record()
            raise
        finally:
            for task in self._sending:
                task.cancel()
            await asyncio.gather(*self._sending, return_exceptions=True)
            metrics.WAITING.set(0)
            metrics.OLDEST.set(0)

    async def _turn(self) -> bool:
        """False when no webhook is active and nothing is under way."""
        await self._record()
        is_wanted = True
        if time.monotonic() >= self._read_at:
            is_wanted = await self._read_log()
        if time.monotonic() >= self._look_at:
            await self._begin_due()
        if time.monotonic() >= self._count_at:
            await self._count()
        if self._sending:
            await asyncio.wait(self._sending, timeout=changes.POLL_S, return_when=asyncio.FIRST_COMPLETED)
        elif is_wanted:
            await asyncio.sleep(max(self._read_at - time.monotonic(), 0))
        return is_wanted or bool(self._sending)

    async def _read_log(self) -> bool:
        """Make deliveries of the next changes; False when no webhook is active."""
        if time.monotonic() >= self._asked_at + LOOK_S:
            self._asked_at = time.monotonic()
            self._positions = await registry.positions(self._db)
        self._read_at = time.monotonic() + changes.POLL_S
        if not self._positions:
            return False
        start, take = self._positions[0], max(BATCH // len(self._positions), 1)
        # No position is left further behind, or it would look as if changes had been forgotten.
        old = changes.settled()
        events = await changes.events_after(self._db, start, take=take)
        end = events[-1].position if events else old
        if end <= start:
            return True

        async def work(tx: Database) -> int:
            await self._context.checkpoint(tx, {"position": str(end)})
            lost_until = await changes.lost_until(tx, start) if start < old else None
            return await materialise(tx, events, start, end, lost_until)

        if await unit_of_work(self._db, work):
            self._look_at = 0.0
        self._positions = sorted(max(position, end) for position in self._positions)
        if len(events) == take:
            self._read_at = 0.0
        return True

    async def _begin_due(self) -> None:
        under_way = Counter(due.webhook_id for due in self._sending.values())
        rooms = {each: self._paces[each].room(under_way[each]) for each in {*self._paces, *under_way}}
        found = await sql.find_due(self._db, [due.id for due in self._sending.values()], rooms, room=AT_ONCE)
        self._look_at = time.monotonic() + LOOK_S
        for due in found:
            self._sending[asyncio.create_task(self._attempt(due))] = due

    async def _attempt(self, due: Due) -> Outcome:
        status, error, retry_after = None, None, None
        with metrics.SECONDS.time():
            try:
                headers = signed_headers(due, now())
                answer = await self._fetcher.post(due.url, due.body.encode(), headers)
                status, retry_after = answer.status, answer.retry_after
            except FetchError as failed:
                error = str(failed)
            except Exception:  # one delivery does not end all others
                log.exception("webhooks.attempt_crashed", webhook_id=due.webhook_id, delivery_id=due.id)
                error = _INTERNAL_ERROR
        delivered = status is not None and 200 <= status < 300
        if not delivered and error is None:
            error = f"Answered with status {status}"
        return Outcome(
            due.id, due.webhook_id, delivered, status, error, delay_s(due.attempts + 1, retry_after)
        )

    async def _record(self) -> None:
        """Store the outcomes of what has ended."""
        ended = [task for task in self._sending if task.done()]
        if not ended:
            return
        outcomes = [task.result() for task in ended]
        gone = {outcome.webhook_id for outcome in outcomes if outcome.status == _GONE}
        delivered = self._delivered + sum(outcome.delivered for outcome in outcomes)

        async def work(tx: Database) -> dict[str, State]:
            await self._context.checkpoint(tx, {"delivered": delivered}, done=delivered)
            states = await sql.record(tx, outcomes, retry_s=self._retry_s)
            await sql.release(tx, [each for each, state in states.items() if state != "waiting"])
            if gone:
                notice = f"Turned off at {to_iso(now())}: the receiver answered 410 Gone, so it wants no more"
                await registry.turn_off(tx, gone, notice)
            return states

        states = await unit_of_work(self._db, work)
        self._delivered, self._look_at = delivered, 0.0
        for task in ended:
            del self._sending[task]
        for outcome in outcomes:
            self._paces[outcome.webhook_id].note(outcome)
            self._tell(outcome, states.get(outcome.id))
        for webhook_id in gone:
            log.warning("webhooks.turned_off", webhook_id=webhook_id, status=_GONE)

    def _tell(self, outcome: Outcome, state: State | None) -> None:
        metrics.ATTEMPTS.labels("failed" if state == "waiting" else state or "forgotten").inc()
        if not outcome.delivered:
            told = log.bind(webhook_id=outcome.webhook_id, delivery_id=outcome.id, status=outcome.status)
            if state == "dead":
                told.warning("webhooks.dead", error=outcome.error)
            else:
                told.info("webhooks.attempt_failed", error=outcome.error)

    async def _count(self) -> None:
        count, since = await deliveries.waiting(self._db)
        metrics.WAITING.set(count)
        metrics.OLDEST.set(0 if since is None else max((now() - since).total_seconds(), 0))
        self._count_at = time.monotonic() + COUNT_S
