"""What other slices may use of systems: whether one exists, what it is called, and what there is to count.

An answer that shows names of systems carries `NAME_TAGS` in its cache policy; one that shows or counts
systems carries `LIST_TAGS`. Whoever writes the table in bulk invalidates `BULK_TAGS`.
"""

from collections.abc import Collection
from datetime import datetime

from core.database.client import Database
from features.systems import queries
from features.systems.cache import BULK_TAGS, LIST_TAGS, NAME_TAGS
from features.systems.schemas import StatusCounts, System, SystemsStats, TypeCounts

__all__ = [
    "BULK_TAGS",
    "LIST_TAGS",
    "NAME_TAGS",
    "StatusCounts",
    "System",
    "SystemsStats",
    "TypeCounts",
    "created_by_day",
    "exists",
    "names_of",
    "search",
    "statistics",
]


async def exists(db: Database, system_id: str) -> bool:
    """In a transaction the system stays until it ends: it cannot be deleted in between."""
    return await queries.hold_system(db, system_id)


async def names_of(db: Database, ids: Collection[str]) -> dict[str, str]:
    """The names of those systems that exist, by id; one query, none for no ids."""
    return await queries.names_of(db, ids) if ids else {}


async def statistics(db: Database) -> SystemsStats:
    """One grouped query."""
    return await queries.statistics(db)


async def search(db: Database, text: str, *, limit: int) -> list[System]:
    """The best matches first."""
    return await queries.search_systems(db, text, limit=limit)


async def created_by_day(db: Database, since: datetime) -> dict[str, int]:
    """How many systems were registered on each day (UTC, `2025-10-23`) from `since` on; days without one are
    left out.
    """
    return await queries.created_by_day(db, since)
