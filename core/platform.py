"""The parts of one running process of the app: built by the lifespan, read through `core.deps`."""

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.cache import Cache
    from core.database.client import Database
    from core.jobs import Describe, Jobs
    from core.settings import Settings


@dataclass(frozen=True, slots=True)
class Platform:
    """Services of a running process. `leaving` is set the moment a stop signal arrives: load balancers shall
    look elsewhere. `draining` is set SHUTDOWN_DELAY_S later: from then on no new work, streams end. `openapi`
    returns the document that the app publishes.
    """

    settings: "Settings"
    db: "Database"
    cache: "Cache"
    jobs: "Jobs"
    openapi: "Describe"
    draining: asyncio.Event = field(default_factory=asyncio.Event)
    leaving: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def stopping(self) -> bool:
        return self.leaving.is_set() or self.draining.is_set()
