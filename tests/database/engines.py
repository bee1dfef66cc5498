"""Clients of a test's own, whose engines may be killed and whose limits are small."""

import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from core.database.client import Database
from core.database.process import EngineOptions
from core.observability.metrics import scrape
from tests.fixtures.waiting import wait_until


@asynccontextmanager
async def connected(url: str, pool_size: int = 5, **options: Any) -> AsyncIterator[Database]:
    database = Database(EngineOptions(url=url, pool_size=pool_size, **{"pool_timeout_s": 2, **options}))
    await database.connect()
    try:
        yield database
    finally:
        await database.disconnect()


def kill_engine(db: Database) -> int:
    """Returns when it is dead, so that nothing that is sent from then on can reach it."""
    return _signalled(db, signal.SIGKILL, "Z")


def stop_engine(db: Database) -> int:
    """Returns when it stands still: what is sent from then on gets no answer."""
    return _signalled(db, signal.SIGSTOP, "T")


def _signalled(db: Database, number: signal.Signals, state: str) -> int:
    pid = db.engine.status.pid
    assert pid is not None
    os.kill(pid, number)
    wait_until(lambda: _state(pid) in (state, None))
    return pid


def _state(pid: int) -> str | None:
    """One letter, as in ps; None when nothing of the process is left."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return None


def figures() -> dict[str, float]:
    """The samples of `/metrics`, by name and labels."""
    lines = [line.rpartition(" ") for line in scrape().decode().splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in lines}
