"""Ideas for other slices: existence, titles, statistics, search, and bulk takeover.

Whoever shows or counts ideas carries `IDEA_TAGS` in its cache policy. Ideas show the names of their systems:
who shows whole ideas carries the tags of systems too. Whoever loads ideas invalidates `BULK_TAGS` after the
commit. `TAKEOVER` is the table as imports know it.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Final

from pydantic import TypeAdapter

from core.database import statements
from core.database.client import Database
from core.database.statements import Ranked
from core.database.transaction import unaudited
from features.ideas.cache import BULK_TAGS, IDEA_TAGS
from features.ideas.queries import exists, ideas_by_id, insert_ideas, statistics, titles_of
from features.ideas.schemas import (
    DESCRIPTION_LENGTH,
    ID_LENGTH,
    PERSON_LENGTH,
    Category,
    CreateIdea,
    Idea,
    IdeaQuery,
    IdeasStats,
    Priority,
    Status,
)
from features.ideas.service import LIST
from features.ideas.sql.bulk import STORED_TITLE_LENGTH, TAKEOVER
from features.ideas.sql.match import find_best

ENTITY: Final = "idea"
_IDEAS: Final = TypeAdapter(list[Idea])


async def by_id(db: Database, ids: Sequence[str]) -> list[Idea]:
    """Ideas of these ids that are stored, with their systems."""
    return _IDEAS.validate_json(b"[%b]" % (await ideas_by_id(db, ids)).json)


async def search(db: Database, text: str, *, limit: int) -> Ranked[Idea]:
    """With their systems; two queries."""
    return await Ranked.of(await find_best(db, text, limit=limit), partial(by_id, db))


async def load(tx: Database, stored: Sequence[tuple[Idea, int]]) -> frozenset[str]:
    """Add ideas with their ids, times and the versions of their rows, without audit entries. One whose id is
    taken is left out; returns the ids of the others.
    """
    await unaudited(tx, "ideas")
    taken = await titles_of(tx, [idea.id for idea, _ in stored])
    rows = [
        {**idea.model_dump(exclude={"system"}), "row_version": version}
        for idea, version in stored
        if idea.id not in taken
    ]
    await insert_ideas(tx, rows)
    return frozenset(row["id"] for row in rows)


async def created_by_day(db: Database, since: datetime) -> dict[str, int]:
    """Numbers of ideas by day (UTC, `2025-10-23`) from `since` on; days without one are left out."""
    return await statements.created_by_day(db, "ideas", since)
