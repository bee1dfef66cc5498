"""Jobs `webhooks.deliver`, which runs in one process while a webhook is active, and `webhooks.prune`.

Every process has a supervisor, which begins the first one when a webhook is active and nobody runs it: at
once after a webhook was made or turned on here, otherwise within LOOK_S.
"""

import asyncio
from datetime import timedelta
from typing import Final

import structlog

from core.database.client import Author
from core.errors import Unavailable
from core.jobs import JobConflict, JobContext, JobKind, JsonObject
from core.jobs.kinds import pruning
from core.jobs.lease import pause
from core.platform import Platform
from features.webhooks import service
from features.webhooks.delivery.sender import Sender
from features.webhooks.queries import registry
from features.webhooks.settings import WebhookSettings

LOOK_S: Final = 10.0

log = structlog.get_logger(__name__)


async def deliver(context: JobContext) -> JsonObject:
    return await Sender(context).run()


async def _prune(context: JobContext) -> int:
    return await service.prune(context.db, context.settings.of(WebhookSettings).webhook_retention_days)


DELIVER: Final = JobKind("webhooks.deliver", deliver, exclusive=True)
PRUNE: Final = pruning("webhooks.prune", timedelta(hours=1), _prune)


class Supervisor:
    """Supervisor of `webhooks.deliver` in one process."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._wanted = asyncio.Event()

    def begin(self) -> None:
        """Look now."""
        self._wanted.set()

    async def supervise(self) -> None:
        jobs, db = self._platform.jobs, self._platform.db
        while not self._platform.draining.is_set():
            self._wanted.clear()
            try:
                if await registry.positions(db):
                    job = await jobs.enqueue(db, DELIVER.kind, {}, Author("webhooks"))
                    await jobs.run(job.id)
            except JobConflict:
                pass
            except Unavailable as unavailable:
                log.warning("webhooks.supervisor_unavailable", error=str(unavailable))
            except Exception:  # the supervisor goes on
                log.exception("webhooks.supervisor_failed")
            await pause(self._wanted, LOOK_S)


async def supervise(platform: Platform) -> None:
    await platform.part(Supervisor).supervise()
