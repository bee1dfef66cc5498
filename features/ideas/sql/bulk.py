"""Bulk takeover of ideas, and its reversal: rows with their ids, times and versions."""

from collections.abc import Mapping
from typing import Final

from core.database.import_table import ImportTable, Kind
from features.ideas.cache import BULK_TAGS

STORED_TITLE_LENGTH: Final = 255
"""Upper bound of the old service, and of the table."""

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
