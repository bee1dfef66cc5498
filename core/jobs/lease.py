"""Lease of a job: whoever claims it is its only runner for JOB_LEASE_S, and renews that with a heartbeat for
as long as its process lives. Once the lease has run out, another process may claim the job.
"""

import asyncio
import os
import socket
import time
from collections.abc import Awaitable, Callable
from uuid import uuid4

import structlog

from core.jobs.errors import LeaseLost
from core.server.embedded.process import is_running
from core.settings import Settings

log = structlog.get_logger(__name__)


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
