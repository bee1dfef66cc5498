"""Bulk takeover of ideas, and its reversal: rows with their ids, times and versions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import orjson

from core.database.client import Database
from core.database.import_table import ImportTable, Kind
from core.database.transaction import unaudited
from features.ideas.cache import BULK_TAGS
from features.ideas.schemas import Idea

STORED_TITLE_LENGTH: Final = 255
"""Upper bound of the old service, and of the table."""


@dataclass(frozen=True, slots=True)
class StoredIdea:
    """An idea and the number of its row's version, from which its ETag is made."""

    idea: Idea
    version: int


_TAKEN: Final[Mapping[str, Kind]] = {
    "id": "text",
    "title": "text",
    "description": "text",
    "status": "text",
    "category": "text",
    "priority": "text",
    "tags": "texts",
    "system_id": "text",
    "assigned_to": "text",
    "created_by": "text",
    "estimated_hours": "real",
    "actual_hours": "real",
    "due_date": "moment",
    "completed_at": "moment",
    "created_at": "moment",
    "updated_at": "moment",
    "legacy": "verbatim",
}

TAKEOVER: Final = ImportTable(
    "ideas",
    "idea",
    BULK_TAGS,
    _TAKEN,
    parents={"system_id": "systems"},
    incidental=("completed_at", "updated_at", "legacy"),
)

_COLUMNS: Final = (
    "id, title, description, status, category, priority, tags, system_id, assigned_to, created_by, "
    "estimated_hours, actual_hours, due_date, completed_at, created_at, updated_at, row_version"
)

_LOAD: Final = f"""
INSERT INTO ideas ({_COLUMNS})
SELECT {_COLUMNS} FROM jsonb_to_recordset($1::jsonb) AS source(
    id text, title text, description text, status text, category text, priority text, tags text[],
    system_id text, assigned_to text, created_by text, estimated_hours float8, actual_hours float8,
    due_date timestamptz, completed_at timestamptz, created_at timestamptz, updated_at timestamptz,
    row_version int)
ON CONFLICT (id) DO NOTHING
RETURNING id
"""


async def load(tx: Database, stored: Sequence[StoredIdea]) -> frozenset[str]:
    """Writes ideas with their ids, times and versions in one statement, without audit entries. One whose id
    is taken is left out; the answer holds the ids of the others.
    """
    await unaudited(tx, "ideas")
    rows = [
        {**each.idea.model_dump(mode="json", exclude={"system"}), "row_version": each.version}
        for each in stored
    ]
    return frozenset(row["id"] for row in await tx.query_raw(_LOAD, orjson.dumps(rows).decode()))
