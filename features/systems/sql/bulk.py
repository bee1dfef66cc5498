"""Bulk takeover of systems, and its reversal: rows with their ids, times and versions."""

from collections.abc import Mapping, Sequence
from typing import Final

import orjson

from core.database.client import Database
from core.database.import_table import ImportTable, Kind
from core.database.transaction import unaudited
from features.systems.cache import LIST_TAGS, SYSTEM_TAGS
from features.systems.schemas import StoredSystem

_TAKEN: Final[Mapping[str, Kind]] = {
    "id": "text",
    "name": "text",
    "description": "text",
    "status": "text",
    "port": "integer",
    "category": "text",
    "tags": "texts",
    "type": "text",
    "url": "text",
    "owner": "text",
    "version": "text",
    "metadata": "object",
    "icon": "text",
    "color": "text",
    "host": "text",
    "last_checked": "moment",
    "response_time_ms": "integer",
    "created_at": "moment",
    "updated_at": "moment",
    "legacy": "verbatim",
}

TAKEOVER: Final = ImportTable(
    "systems",
    "system",
    (*SYSTEM_TAGS, *LIST_TAGS),
    _TAKEN,
    incidental=("last_checked", "response_time_ms", "updated_at", "legacy"),
    unique=("name",),
)

_COLUMNS: Final = (
    "id, name, description, status, port, category, tags, type, url, owner, version, metadata, icon, color, "
    "host, last_checked, response_time_ms, created_at, updated_at, row_version"
)
_LOAD: Final = f"""
INSERT INTO systems ({_COLUMNS})
SELECT {_COLUMNS} FROM jsonb_to_recordset($1::jsonb) AS source(
    id text, name text, description text, status text, port int, category text, tags text[], type text,
    url text, owner text, version text, metadata jsonb, icon text, color text, host text,
    last_checked timestamptz, response_time_ms int, created_at timestamptz, updated_at timestamptz,
    row_version int)
ON CONFLICT DO NOTHING
RETURNING id
"""


async def load_systems(tx: Database, stored: Sequence[StoredSystem]) -> frozenset[str]:
    """Insert systems without audit entries; returns the ids of those whose id and name were not taken."""
    await unaudited(tx, "systems")
    rows = [{**each.system.model_dump(mode="json"), "row_version": each.row_version} for each in stored]
    return frozenset(row["id"] for row in await tx.query_raw(_LOAD, orjson.dumps(rows).decode()))
