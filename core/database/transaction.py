"""Units of work: atomic, within explicit limits, and run again after conflicts with others."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import timedelta
from typing import Any, Final, Literal, TypeVar

import structlog
from prisma.errors import PrismaError

from core.database import metrics
from core.database.client import EngineClient
from core.database.errors import DatabaseProblem, DatabaseUnavailable, EngineUnavailable, WriteConflict

Isolation = Literal["ReadCommitted", "RepeatableRead", "Serializable"]
Client = TypeVar("Client", bound=EngineClient)
Result = TypeVar("Result")

MAX_ATTEMPTS: Final = 5
FIRST_PAUSE_S: Final = 0.02
"""Upper bound of the first pause in seconds; each next one may take twice as long."""
RETRY_LIMIT: Final = timedelta(seconds=5)
"""Limit of a unit that is one statement: no attempt begins later than this."""

CommitHook = Callable[[Any], Awaitable[None]]
"""Called with the transaction's client as its last work before the commit; what it raises rolls back."""

_commit_hook: ContextVar[CommitHook | None] = ContextVar("commit_hook", default=None)
_UNAUDITED: Final = """
SELECT set_config('handover.unaudited',
    concat_ws(',', nullif(current_setting('handover.unaudited', true), ''), $1::text), true)
"""

log = structlog.get_logger("database.transaction")


@contextmanager
def committing_with(hook: CommitHook) -> Iterator[None]:
    """Every transaction of the current task, and of those that it starts, commits together with the hook's
    work: neither exists without the other.
    """
    token = _commit_hook.set(hook)
    try:
        yield
    finally:
        _commit_hook.reset(token)


async def unaudited(tx: EngineClient, table: str) -> None:
    """Until the transaction ends, its changes of the table leave no entries: for bulk work, which leaves one
    of its own.
    """
    await tx.query_raw(_UNAUDITED, table)


async def unit_of_work(
    db: Client,
    work: Callable[[Client], Awaitable[Result]],
    *,
    timeout: timedelta | None = None,
    isolation: Isolation | None = None,
) -> Result:
    """Run `work(tx)` in one transaction, commit, and return what it returned; any exception rolls back.

    `work` may run several times, each time from the start and with a new `tx`, so its changes outside of the
    database have to be repeatable. It runs again, after a short random pause, when PostgreSQL rolled it back
    for a deadlock or a serialization failure, and when the engine or the connection was lost before COMMIT
    was sent: until then nothing can have been committed. A COMMIT that got no answer may have happened, so
    that is never repeated and passes as EngineUnavailable or DatabaseUnavailable, as does everything after
    the last attempt.

    `timeout` (DB_TRANSACTION_TIMEOUT_S) bounds all attempts together: beyond it the transaction rolls back by
    itself and calls raise TransactionExpiredError. DB_TRANSACTION_MAX_WAIT_S bounds the wait for a connection
    of each attempt (PoolExhausted). With a client that is in a transaction already it raises RuntimeError:
    pass that client on instead.
    """
    if db.is_transaction():
        raise RuntimeError(
            "This client is in a transaction already: pass it on instead of opening another one."
        )
    engine = db.engine
    limit_s = timeout.total_seconds() if timeout else engine.options.transaction_timeout_s
    ends = time.monotonic() + limit_s
    committing = False

    async def attempt() -> Result:
        nonlocal committing
        committing = False
        identifier = await engine.begin(
            timeout_ms=round(max(ends - time.monotonic(), 0.001) * 1000),
            max_wait_ms=round(engine.options.transaction_max_wait_s * 1000),
            isolation=isolation,
        )
        tx = db.bound_to(identifier)
        try:
            result = await work(tx)
            if (hook := _commit_hook.get()) is not None:
                await hook(tx)
        except BaseException:
            try:
                await engine.rollback_transaction(identifier)
            except PrismaError as error:
                # Engine or connection are gone, and the transaction with them: the first error tells more.
                log.info("database.rollback_failed", error=type(error).__name__)
            raise
        committing = True
        await engine.commit_transaction(identifier)
        return result

    def may_run_again(error: DatabaseProblem) -> bool:
        if isinstance(error, EngineUnavailable | DatabaseUnavailable):
            return not committing
        return isinstance(error, WriteConflict)

    return await _repeated(attempt, may_run_again, ends)


async def retried(db: Client, work: Callable[[Client], Awaitable[Result]]) -> Result:
    """Run `work(db)`, one statement, again as long as it meets write conflicts. It gets a transaction only if
    there is a commit hook, and none of its own inside another.

    A lost engine or connection is not a reason to run it again: the statement may have been done.
    """
    if db.is_transaction():
        return await work(db)
    if _commit_hook.get() is not None:
        return await unit_of_work(db, work)
    ends = time.monotonic() + RETRY_LIMIT.total_seconds()
    return await _repeated(lambda: work(db), lambda error: isinstance(error, WriteConflict), ends)


async def _repeated(
    attempt: Callable[[], Awaitable[Result]], may_run_again: Callable[[DatabaseProblem], bool], ends: float
) -> Result:
    """Result of the first successful attempt. Full jitter: a pause is anything between nothing and its bound,
    so that two units that collided do not collide again.
    """
    number = 1
    while True:
        try:
            result = await attempt()
        except DatabaseProblem as error:
            pause = random.uniform(0, FIRST_PAUSE_S * 2 ** (number - 1))
            again = may_run_again(error)
            if not again or number == MAX_ATTEMPTS or time.monotonic() + pause >= ends:
                if again or number > 1:
                    metrics.RETRIED_UNITS.labels("failed").inc()
                raise
            metrics.RETRIES.labels(type(error).__name__).inc()
            log.info("database.retried", reason=type(error).__name__, attempt=number, pause_s=round(pause, 3))
            await asyncio.sleep(pause)
            number += 1
        else:
            if number > 1:
                metrics.RETRIED_UNITS.labels("succeeded").inc()
            return result
