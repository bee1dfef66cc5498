"""Bulk takeover of items by imports, and its reversal."""

from typing import Final

from core.database.import_table import ImportTable
from features.items.cache import ITEM_TAGS

TAKEOVER: Final = ImportTable(
    "items",
    "item",
    ITEM_TAGS,
    {
        "id": "text",
        "title": "text",
        "description": "text",
        "category": "text",
        "priority": "text",
        "status": "text",
        "tags": "texts",
        "created_at": "moment",
        "updated_at": "moment",
        "legacy": "verbatim",
    },
    version="version",
    incidental=("updated_at",),
    at_once=4,
)
