"""The log of changes (table `changes`), and how the cache of each host follows it.

Statement triggers write a line for each row that a transaction writes, in that transaction, whoever sends the
statements: another host, a command, a server of an earlier release, psql. So whoever can commit a write has
logged it, and nothing else can fail between a write and the caches of other hosts.

One process of a host **looks**, on one connection to the primary that belongs to nothing else. It keeps the
snapshot S of its last look and asks for the lines that S could not see: those of transactions that were in
progress in S, and of those that began later. Ids alone do not tell, for transactions do not commit in the
order of their ids. For each line it renews the tags that `Feature.renews` names, as the writing host does
itself at once; lines that processes of its own host have written it leaves out, while they run.

- Let a look begin at L, on the clock of the host. All that was committed before L is visible to its snapshot,
  and so was read by it or by an earlier one. When it is applied, L is written beside the tag versions.
- An entry is used at R only if R - L <= CACHE_HOSTS_BOUND_MS, and only with the tag versions of R. So what it
  lacks was committed after R minus the bound. With CACHE_STRICT the bound is 0: each read waits for a look
  that begins after it; reads that come together share one, and each process looks for itself.
- **A lost connection begins a new life**: after a crash, the failover to a standby that lagged or a restore,
  transaction ids are given out again, and a snapshot of before means nothing; only the loss of the
  connection tells. The new life takes a new S, then leaves behind every entry of the host (the epoch), and
  each process closes the connections that its pool has from before. The same follows when the log itself is
  another table by now (it was restored), or lines of it were deleted, which is logged like other changes.
  Lines of transactions that are yet to come, as a restored log holds them, are passed over by their ids.
- A process that stands still (SIGSTOP, a machine that sleeps) finds L long ago when it goes on. Whoever takes
  over from a process that looked begins a life too.
- A transaction that writes for long costs nothing: its lines appear with its commit; S names it till then.
- Behind a pooler the connection is held by a transaction that reads committed rows and never ends.

Looks are made twice within the bound while there are reads; without any, nobody asks PostgreSQL anything, and
the next read waits for a look. Not covered: an old primary that goes on unseen while another one has been
made (split brain).
"""

import asyncio
import os
import time
from contextlib import suppress
from typing import Any, Final

import structlog

from core.cache.versions import TagVersions
from core.database.client import Database
from core.database.errors import DatabaseReadOnly
from core.database.writes import Tell, Write
from core.observability.metrics import Counter, Histogram
from core.settings import Settings

LOG_MODEL: Final = "Change"
LOOKS_WITHIN_BOUND: Final = 2
IDLE_AFTER_S: Final = 1.0
"""Nobody looks when nobody has read for so long."""
TIMEOUT_S: Final = 2.0
"""A look that takes longer is taken for a lost connection."""
RETRY_S: Final = 0.25
"""Seconds without another try after a look that failed."""
PATIENCE_S: Final = 0.025
"""Seconds that a process waits for a look of the one that leads."""
POLL_S: Final = 0.001

# Prisma knows neither snapshots nor transaction ids.
# The first look of a life. Lines with ids up to `floor` are of transactions of an earlier life.
_BEGIN: Final = """
SELECT json_build_object('snapshot', pg_current_snapshot()::text, 'log', to_regclass('changes')::oid::text,
    'is_standby', pg_is_in_recovery(), 'floor', (SELECT coalesce(max(id), 0)::text FROM changes
        WHERE xid >= pg_snapshot_xmax(pg_current_snapshot()))) AS seen
"""
# $1 the snapshot of the last look, $2 the floor. What $1 could not see, by the index of xid. That lines were
# deleted only matters where the newest of them is not of a transaction that $1 saw, as it then saw them all.
_LOOK: Final = """
WITH lines AS (
    SELECT * FROM changes WHERE xid >= pg_snapshot_xmax($1::pg_snapshot) UNION ALL
    SELECT * FROM changes WHERE xid = ANY (ARRAY(SELECT pg_snapshot_xip($1::pg_snapshot))))
SELECT json_build_object('snapshot', pg_current_snapshot()::text, 'log', to_regclass('changes')::oid::text,
    'lines', (SELECT coalesce(json_agg(json_build_array(origin, model, operation, row_id, fields)), '[]')
        FROM lines WHERE id + 0 > $2::bigint AND CASE model WHEN 'Change'
            THEN coalesce(row_id::xid8 >= pg_snapshot_xmin($1::pg_snapshot), true) ELSE true END)) AS seen
"""

_LOOK_SECONDS: Final = Histogram(
    "handover_changes_look_seconds",
    "Time of a look at the log of changes, its effects included.",
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1),
)
_LINES: Final = Counter("handover_changes_lines_total", "Changes of others that were read from the log.")
_LOST: Final = Counter(
    "handover_changes_lost_total", "Times that changes may have been missed: all entries were left behind."
)
_log = structlog.get_logger("handover.changes")


class ChangeFollower:
    """Between `start` and `close`. `tell` renews the tags that follow from writes."""

    def __init__(self, db: Database, versions: TagVersions, tell: Tell, settings: Settings) -> None:
        self.bound_s = 0.0 if settings.cache_strict else settings.cache_hosts_bound_ms / 1000
        self._db = db
        self._versions = versions
        self._tell = tell
        self._interval_s = self.bound_s / LOOKS_WITHIN_BOUND
        self._life = b""
        """Life of the host as of which this process reads the database."""
        self._snapshot: str | None = None
        """Snapshot of the last look; None before the first one of a life."""
        self._first_look: dict[str, Any] = {}
        """Answer to `_BEGIN` in this life."""
        self._turn = asyncio.Lock()
        self._wanted = asyncio.Event()
        """Somebody reads, here or in another process."""
        self._listens = False
        self._settling = asyncio.Lock()
        self._no_try_before = 0.0
        """After a failure: till then the leader does not look, and others do not wait for it."""
        self._failing = False
        self._task: asyncio.Task[None] | None = None

    @property
    def settled(self) -> bool:
        return self._life == self._versions.life

    async def start(self) -> None:
        await self.catch_up()
        if self._interval_s:
            self._task = asyncio.create_task(self._run(), name="changes")

    async def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._versions.wakeup)
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def catch_up(self) -> None:
        """Have the host's cache know all that was committed before this call: look at the log, or wait for a
        look of the process that leads. Returns also when that fails; then the cache is not used.
        """
        began = time.monotonic()
        if self._leads():
            self._wanted.set()
            async with self._turn:
                if self._versions.looked_at < began and time.monotonic() >= self._no_try_before:
                    await self._look_or_lose()
        else:
            await self._looked_by_another(began)
        if not self.settled:
            await self._settle()

    async def _run(self) -> None:
        while True:
            await self._wanted.wait()
            while time.monotonic() - self._versions.wanted_at < IDLE_AFTER_S and self._leads():
                due_s = self._versions.looked_at + self._interval_s - time.monotonic()
                if due_s <= 0:
                    await self.catch_up()
                await asyncio.sleep(due_s if due_s > 0 else self._interval_s)
            self._wanted.clear()

    def _leads(self) -> bool:
        if not self.bound_s:
            return True
        if not self._versions.lead():
            return False
        if not self._listens:
            asyncio.get_running_loop().add_reader(self._versions.wakeup, self._wake)
            self._listens = True
        return True

    def _wake(self) -> None:
        with suppress(BlockingIOError):
            os.read(self._versions.wakeup, 4096)
        self._wanted.set()

    async def _look_or_lose(self) -> None:
        began = time.monotonic()
        try:
            async with asyncio.timeout(TIMEOUT_S):
                await (self._begin() if self._snapshot is None else self._look(self._snapshot))
        except Exception as error:  # noqa: BLE001 - whatever it was, the next look begins a life
            self._snapshot = None
            self._no_try_before = time.monotonic() + RETRY_S
            _LOST.inc()
            if not self._failing:
                _log.warning("changes.lost", error=type(error).__name__, reason=str(error))
            self._failing = True
            return
        _LOOK_SECONDS.observe(time.monotonic() - began)
        if self._failing:
            _log.info("changes.followed_again")
        self._failing = False
        self._versions.looked_at = began

    async def _begin(self) -> None:
        seen = await self._db.engine.follow(_BEGIN, (), anew=True)
        if seen["is_standby"]:
            raise DatabaseReadOnly("the database is a standby")
        self._first_look = seen
        self._versions.begin_life()
        self._snapshot = seen["snapshot"]

    async def _look(self, snapshot: str) -> None:
        seen = await self._db.engine.follow(_LOOK, (snapshot, self._first_look["floor"]), anew=False)
        lines = seen["lines"]
        if seen["log"] != self._first_look["log"] or any(model == LOG_MODEL for _, model, *_ in lines):
            await self._begin()  # there may have been lines that are gone
            return
        writes = [
            Write(model, operation, None if row_id is None else (row_id,), frozenset(fields))
            for origin, model, operation, row_id, fields in lines
            if not self._versions.sees_to(origin)
        ]
        _LINES.inc(len(writes))
        await self._tell(writes)
        self._snapshot = seen["snapshot"]

    async def _looked_by_another(self, began: float) -> None:
        """The process that leads does not look while nobody reads: it is called."""
        if began < self._no_try_before:
            return
        self._versions.wake()
        while self._versions.looked_at < began - self.bound_s:
            if time.monotonic() > began + PATIENCE_S:
                self._no_try_before = began + RETRY_S
                return
            await asyncio.sleep(POLL_S)

    async def _settle(self) -> None:
        async with self._settling:
            life = self._versions.life
            if life == self._life:
                return
            try:
                await self._db.engine.recycle()
            except Exception as error:  # noqa: BLE001 - the next read tries again, and keeps nothing till then
                _log.warning("changes.not_settled", error=type(error).__name__, reason=str(error))
            else:
                self._life = life
