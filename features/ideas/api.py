"""What other slices may use of ideas: whether one exists, what it is called, what there is to count, and
taking ideas over as they are.

Whoever shows or counts ideas carries `IDEA_TAGS` in its cache policy. Ideas show the names of their systems:
who shows whole ideas carries the tags of systems too. Whoever loads ideas invalidates `BULK_TAGS` after the
commit. `TAKEOVER` is the table as imports know it.
"""

from collections.abc import Collection, Sequence
from datetime import datetime

from core.database.client import Database
from features.ideas import service
from features.ideas.cache import BULK_TAGS, IDEA_TAGS
from features.ideas.queries import reads
from features.ideas.schemas import (
    DESCRIPTION_LENGTH,
    ID_LENGTH,
    PERSON_LENGTH,
    STORED_TITLE_LENGTH,
    Category,
    Idea,
    IdeasStats,
    Priority,
    Status,
    StoredIdea,
)
from features.ideas.service import ENTITY
from features.ideas.sql import days
from features.ideas.sql.bulk import TAKEOVER, load_ideas

__all__ = [
    "BULK_TAGS",
    "DESCRIPTION_LENGTH",
    "ENTITY",
    "IDEA_TAGS",
    "ID_LENGTH",
    "PERSON_LENGTH",
    "STORED_TITLE_LENGTH",
    "TAKEOVER",
    "Category",
    "Idea",
    "IdeasStats",
    "Priority",
    "Status",
    "StoredIdea",
    "created_by_day",
    "exists",
    "load",
    "search",
    "statistics",
    "titles_of",
]


async def exists(db: Database, idea_id: str) -> bool:
    """With a client in a transaction, as of that transaction; the foreign key decides in the end."""
    return await reads.idea_exists(db, idea_id)


async def titles_of(db: Database, ids: Collection[str]) -> dict[str, str]:
    """The titles of those ideas that exist, by id; one query, none for no ids."""
    return await reads.titles_of(db, ids) if ids else {}


async def statistics(db: Database) -> IdeasStats:
    """One grouped query."""
    return await reads.statistics(db)


async def search(db: Database, text: str, *, limit: int) -> list[Idea]:
    """The best matches first; two queries."""
    return await service.search_ideas(db, text, limit=limit)


async def created_by_day(db: Database, since: datetime) -> dict[str, int]:
    """How many ideas came on each day (UTC, `2025-10-23`) from `since` on; days without one are left out."""
    return await days.created_by_day(db, since)


async def load(tx: Database, stored: Sequence[StoredIdea]) -> frozenset[str]:
    """Writes ideas with their ids, times and versions in one statement, without audit entries. One whose id
    is taken is left out; the answer holds the ids of the others.
    """
    return await load_ideas(tx, stored)
