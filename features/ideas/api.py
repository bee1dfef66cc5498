"""Ideas for other slices: existence, titles, statistics, search, and bulk takeover.

Whoever shows or counts ideas carries `IDEA_TAGS` in its cache policy. Ideas show the names of their systems:
who shows whole ideas carries the tags of systems too. Whoever loads ideas invalidates `BULK_TAGS` after the
commit. `TAKEOVER` is the table as imports know it.
"""

from datetime import datetime
from typing import Final

from pydantic import TypeAdapter

from core.database import series
from core.database.client import Database
from features.ideas.cache import BULK_TAGS, IDEA_TAGS
from features.ideas.queries import exists, ideas_by_id, statistics, titles_of
from features.ideas.schemas import (
    DESCRIPTION_LENGTH,
    ID_LENGTH,
    PERSON_LENGTH,
    Category,
    Idea,
    IdeaQuery,
    IdeasStats,
    Priority,
    Status,
)
from features.ideas.service import LIST
from features.ideas.sql.bulk import STORED_TITLE_LENGTH, TAKEOVER, StoredIdea, load
from features.ideas.sql.match import find_best

__all__ = [
    "BULK_TAGS",
    "DESCRIPTION_LENGTH",
    "ENTITY",
    "IDEA_TAGS",
    "ID_LENGTH",
    "LIST",
    "PERSON_LENGTH",
    "STORED_TITLE_LENGTH",
    "TAKEOVER",
    "Category",
    "Idea",
    "IdeaQuery",
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

ENTITY: Final = "idea"
_IDEAS: Final = TypeAdapter(list[Idea])


async def search(db: Database, text: str, *, limit: int) -> list[Idea]:
    """With their systems, the best match first; two queries."""
    rows = await ideas_by_id(db, await find_best(db, text, limit=limit))
    return _IDEAS.validate_json(b"[%b]" % rows.json)


async def created_by_day(db: Database, since: datetime) -> dict[str, int]:
    """Numbers of ideas by day (UTC, `2025-10-23`) from `since` on; days without one are left out."""
    return await series.created_by_day(db, "ideas", since)
