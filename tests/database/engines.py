"""Clients of a test's own, whose engines may be killed and whose limits are small."""

import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from core.database.client import Database
from core.database.options import EngineOptions
from core.observability.metrics import scrape


@asynccontextmanager
async def connected(url: str, pool_size: int = 5, **options: Any) -> AsyncIterator[Database]:
    database = Database(EngineOptions(url=url, pool_size=pool_size, **{"pool_timeout_s": 2, **options}))
    await database.connect()
    try:
        yield database
    finally:
        await database.disconnect()


def kill_engine(db: Database) -> int:
    pid = db.engine_status().pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    return pid


def figures() -> dict[str, float]:
    """The samples of `/metrics`, by name and labels."""
    lines = [line.rpartition(" ") for line in scrape().decode().splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in lines}
