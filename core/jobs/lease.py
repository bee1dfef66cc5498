"""Lease of a job: whoever claims it is its only runner for JOB_LEASE_S, and renews that with a heartbeat for
as long as its process lives. Once the lease has run out, another process may claim the job, if it has the
data folder whose files the job needs. And the pauses between tries.
"""

import asyncio
import os
import socket
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import UUID, uuid4

import structlog

from core.jobs.errors import LeaseLost
from core.processes import is_running
from core.settings import Settings

log = structlog.get_logger(__name__)

FILE: Final = "place"


class Lease:
    """Lease of one claim. `owner` is of this claim alone; it lasts at least JOB_LEASE_S from `renewed_at`, a
    moment of time.monotonic() before the request for it was sent.
    """

    def __init__(self, settings: Settings) -> None:
        self.owner = f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:12]}"
        self.seconds = settings.job_lease_s
        self.renewed_at = time.monotonic()
        self._interval_s = settings.job_heartbeat_s

    @property
    def left_s(self) -> float:
        return max(self.renewed_at + self.seconds - time.monotonic(), 0)

    async def keep(self, renew: Callable[[], Awaitable[None]]) -> None:
        """Renew at each heartbeat. Returns when the lease has run out, or `renew` raises LeaseLost."""
        while self.left_s:
            await asyncio.sleep(self._interval_s)
            try:
                async with asyncio.timeout(self.left_s):
                    await renew()
            except LeaseLost:
                return
            except Exception as error:  # noqa: BLE001 - whatever it is, the lease decides
                log.warning("job.heartbeat_failed", error=repr(error))


def is_dead(owner: str) -> bool:
    """True if the owner's process on this host is dead. One that lives elsewhere is stopped by its token."""
    host, pid, _ = owner.rsplit(":", 2)
    return host == socket.gethostname() and not is_running(int(pid))


def place_of(data_dir: Path) -> str:
    """UUID of the data folder, made by the first process that asks. It stays with the folder."""
    path = data_dir / FILE
    if not path.exists():
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        mine = str(uuid4())
        fresh = data_dir / f".{FILE}-{mine}"
        fresh.write_text(mine, encoding="ascii")
        try:
            # Unlike a rename, a link leaves the winner's in place.
            path.hardlink_to(fresh)
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    return str(UUID(path.read_text(encoding="ascii").strip()))


@dataclass(frozen=True, slots=True)
class Delays:
    """Delays of a process, in seconds. `pickup`: for so long a queued job is reserved to the process that
    enqueued it, then any may run it; `poll`: between two looks for jobs without a runner, `clock`: for due
    ones; `retry`: before what failed is tried again.
    """

    pickup: float = 5.0
    poll: float = 2.0
    clock: float = 10.0
    retry: float = 1.0


async def pause(until: asyncio.Event, seconds: float) -> None:
    """Sleep, but no longer than until the event."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await until.wait()
