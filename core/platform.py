"""The parts of one running process of the app: built by the lifespan, read through `core.deps`."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from core.cache import Cache
    from core.database.client import Database
    from core.jobs import Describe, Jobs
    from core.settings import Settings

Part = TypeVar("Part")


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
    _parts: dict[Any, Any] = field(default_factory=dict)

    @property
    def stopping(self) -> bool:
        return self.leaving.is_set() or self.draining.is_set()

    def part(self, make: "Callable[[Platform], Part]") -> Part:
        """Part of a slice that a process has once: made by `make(platform)` when it is first asked for."""
        if make not in self._parts:
            self._parts[make] = make(self)
        part: Part = self._parts[make]
        return part
