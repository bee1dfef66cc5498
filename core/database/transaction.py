"""One unit of work in one database transaction, with explicit limits."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Literal, TypeVar

import structlog
from prisma.errors import PrismaError

from core.database.client import EngineClient

Isolation = Literal["ReadCommitted", "RepeatableRead", "Serializable"]
Client = TypeVar("Client", bound=EngineClient)

log = structlog.get_logger("database.transaction")


@asynccontextmanager
async def transaction(
    db: Client,
    *,
    timeout: timedelta | None = None,
    max_wait: timedelta | None = None,
    isolation: Isolation | None = None,
) -> AsyncIterator[Client]:
    """Yield a client whose calls all belong to one transaction: committed at the end, rolled back on any
    exception.

    `timeout` bounds the whole transaction, after which it rolls back by itself and further calls raise
    TransactionExpiredError; `max_wait` bounds the wait for a connection (PoolExhausted). A transaction inside
    another would be a second, independent one, so that is refused.
    """
    if db.is_transaction():
        raise RuntimeError(
            "This client is in a transaction already: pass it on instead of opening another one."
        )
    engine = db.engine
    identifier = await engine.begin(
        timeout_ms=_milliseconds(timeout, engine.options.transaction_timeout_s),
        max_wait_ms=_milliseconds(max_wait, engine.options.transaction_max_wait_s),
        isolation=isolation,
    )
    try:
        yield db.bound_to(identifier)
    except BaseException:
        try:
            await engine.rollback_transaction(identifier)
        except PrismaError as error:
            # The engine or the connection is gone, and the transaction with it: the first error tells more.
            log.info("database.rollback_failed", error=type(error).__name__)
        raise
    await engine.commit_transaction(identifier)


def _milliseconds(duration: timedelta | None, default_s: float) -> int:
    return round((default_s if duration is None else duration.total_seconds()) * 1000)
