"""What the cache asks of the place that keeps entries, so that places can be exchanged or put in layers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from core.cache.policy import Address, Entry


class UnreachableError(Exception):
    """The place of the entries did not answer (in time). Never leaves `core.cache`."""


@dataclass(frozen=True, slots=True)
class Lookup:
    """What was found, and the stamps that the place itself keeps for the tags, read at the same instant."""

    entry: Entry | None
    stamps: bytes = b""


class Tier(Protocol):
    async def start(self) -> None:
        """Make ready. A place that cannot be reached is not an error."""

    async def close(self) -> None: ...

    async def ping(self) -> None:
        """Raises UnreachableError."""

    async def find(self, address: Address, local: bytes) -> Lookup:
        """The entry, if it was stored under exactly these local stamps. Raises UnreachableError."""

    async def store(self, address: Address, local: bytes, stamps: bytes, entry: Entry, ttl_s: float) -> None:
        """Keep it. A place that is full or cannot be reached keeps nothing, which is not an error."""

    async def renew(self, tags: Sequence[bytes], *, insist: bool = False) -> None:
        """Give the tags new stamps of the place's own. After UnreachableError they may be new or not.

        `insist` asks even when the place failed a moment ago: for callers nobody waits for.
        """
