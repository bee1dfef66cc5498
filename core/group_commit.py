"""Writes of one kind that meet are carried out together: one call of the engine, one statement, one commit.

A write that comes alone is carried out at once. Those that come while a group is under way make the next one,
so the busier the service, the larger the groups, and the less of a round trip, of a plan and of a commit each
write costs. (Two groups at a time would be half as large, which costs more than the wait.) Its neighbours are
not its fate:

- what the statement says of one row (not found, changed meanwhile) is raised for that write alone;
- a row that somebody else holds is left out, and its writer waits for it by himself;
- a statement that PostgreSQL refuses has changed nothing: each write of its group is then carried out alone;
- two writes of one row are never in one group;
- a write that has to be committed with something else, such as its Idempotency-Key, is never grouped.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextvars import Context
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar
from weakref import WeakKeyDictionary

import structlog

from core.cache import Cache
from core.database.client import Database
from core.database.companion import companion
from core.database.errors import refused_by_database
from core.database.meter import current_meter
from core.database.pool import refused
from core.database.transaction import retried
from core.observability.metrics import Histogram

MOST_WRITES: Final = 64
MOST_BYTES: Final = 256 * 1024
"""A group that has so many bytes grows no more: small writes shall not wait for many large ones."""

GROUP_SIZE: Final = Histogram(
    "handover_group_commit_writes",
    "Writes that were carried out together",
    buckets=(1, 2, 4, 8, 16, 32, 64),
)

Result = TypeVar("Result")

log = structlog.get_logger("database.group_commit")


@dataclass(frozen=True, slots=True)
class Write:
    """The `row` that it changes, and what the statement has to know, as a JSON object in UTF-8."""

    row: str
    json: bytes


Outcomes = Mapping[str, Result | Exception]
"""What became of each row, or what is to be raised for it."""


@dataclass(slots=True, eq=False)
class _Waiting(Generic[Result]):
    """`outcome` is None for a write that has to be carried out alone."""

    write: Write
    outcome: "asyncio.Future[Result | Exception | None]"
    patience: asyncio.TimerHandle


@dataclass(slots=True)
class _Queue(Generic[Result]):
    """Of one cache, and so of one database. `work` carries out one group after the other while any wait."""

    waiting: deque[_Waiting[Result]] = field(default_factory=deque)
    work: asyncio.Task[None] | None = None

    def next_group(self) -> list[_Waiting[Result]]:
        """Who came first goes first, unless his row is in the group already."""
        group: dict[str, _Waiting[Result]] = {}
        size, passed = 0, []
        while self.waiting and len(group) < MOST_WRITES and size < MOST_BYTES:
            each = self.waiting.popleft()
            if each.outcome.done():  # whoever waited for it has gone
                continue
            if each.write.row in group:
                passed.append(each)
                continue
            each.patience.cancel()
            size += len(each.write.json)
            group[each.write.row] = each
        self.waiting.extendleft(reversed(passed))
        return list(group.values())


class GroupCommit(Generic[Result]):
    """Made once for each kind of write.

    `statement(db, writes, wait)` carries out writes of different rows. With `wait` there is one write, and
    the statement waits for whoever holds its row; without, it leaves such rows out, also of its result, and
    so it cannot meet a deadlock. `tags(row)` are those of the cache that a write of the row makes invalid.
    """

    def __init__(
        self,
        statement: Callable[[Database, Sequence[Write], bool], Awaitable[Outcomes[Result]]],
        tags: Callable[[str], Sequence[str]],
    ) -> None:
        self._statement = statement
        self._tags = tags
        self._queues: WeakKeyDictionary[Cache, _Queue[Result]] = WeakKeyDictionary()

    async def carry_out(self, db: Database, cache: Cache, write: Write) -> Result:
        """When it returns, the write is committed, and gone from the cache is what it made invalid.

        Raises what the statement says of this row, and as `retried` does; PoolExhausted when DB_MAX_WAITING
        others wait, or after DB_POOL_TIMEOUT_S.
        """
        outcome = None if companion() is not None else await self._in_group(db, cache, write)
        if outcome is None:
            outcome = await self._alone(db, cache, write)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def _alone(self, db: Database, cache: Cache, write: Write) -> Result | Exception:
        async with cache.invalidating(*self._tags(write.row)):
            return (await retried(db, lambda tx: self._statement(tx, [write], True)))[write.row]

    async def _in_group(self, db: Database, cache: Cache, write: Write) -> Result | Exception | None:
        queue = self._queues.get(cache)
        if queue is None:
            queue = self._queues[cache] = _Queue()
        options = db.engine.options
        if len(queue.waiting) >= options.max_waiting:
            raise refused("full")
        began = time.perf_counter()
        loop = asyncio.get_running_loop()
        outcome: asyncio.Future[Result | Exception | None] = loop.create_future()
        patience = loop.call_later(options.pool_timeout_s, _give_up, outcome)
        queue.waiting.append(_Waiting(write, outcome, patience))
        if queue.work is None:
            # In a context of its own: it belongs to no single request.
            queue.work = asyncio.create_task(self._carry_out(db, cache, queue), context=Context())
        try:
            return await outcome
        finally:
            patience.cancel()
            meter = current_meter.get()
            if meter is not None:
                meter.queries += 1
                meter.seconds += time.perf_counter() - began

    async def _carry_out(self, db: Database, cache: Cache, queue: _Queue[Result]) -> None:
        loop = asyncio.get_running_loop()
        try:
            while group := queue.next_group():
                outcomes = await self._together(db, cache, group)
                # Later: first of all the next group is sent.
                loop.call_soon(_tell, group, outcomes)
        finally:
            queue.work = None

    async def _together(
        self, db: Database, cache: Cache, group: Sequence[_Waiting[Result]]
    ) -> Outcomes[Result]:
        GROUP_SIZE.observe(len(group))
        writes = [each.write for each in group]
        tags = dict.fromkeys(tag for write in writes for tag in self._tags(write.row))
        try:
            async with cache.invalidating(*tags):
                return await retried(db, lambda tx: self._statement(tx, writes, False))
        except Exception as error:  # noqa: BLE001 - each write raises it for itself
            if refused_by_database(error):
                log.info("group_commit.refused", writes=len(writes), error=type(error).__name__)
                return {}
            return dict.fromkeys((write.row for write in writes), error)
        except asyncio.CancelledError:
            for each in group:
                each.outcome.cancel()
            raise


def _tell(group: Sequence[_Waiting[Result]], outcomes: Outcomes[Result]) -> None:
    for each in group:
        if not each.outcome.done():
            each.outcome.set_result(outcomes.get(each.write.row))


def _give_up(outcome: "asyncio.Future[Any]") -> None:
    if not outcome.done():
        outcome.set_result(refused("timeout"))
