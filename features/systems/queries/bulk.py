"""Many systems at once, as they are: with their ids, times and versions."""

from collections.abc import Mapping, Sequence
from typing import Final

import orjson

from core.database.bulk import BulkTable
from core.database.client import Database
from core.database.digests import Kind
from core.database.reversal import ReversibleTable
from features.systems.queries.rows import COLUMNS
from features.systems.schemas import StoredSystem

_TAKEN: Final[Mapping[str, Kind]] = {
    "id": "text",
    "name": "text",
    "description": "text",
    "status": "text",
    "port": "integer",
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

TAKEOVER: Final = BulkTable(
    "systems", _TAKEN, incidental=("last_checked", "response_time_ms", "updated_at", "legacy")
)

REVERSAL: Final = ReversibleTable("systems", _TAKEN, unique=("name",))

_NAMES_TAKEN: Final = """
SELECT systems.name, systems.id FROM jsonb_to_recordset($1::jsonb) AS source(id text, name text)
JOIN systems ON systems.name = source.name AND systems.id <> source.id
"""

_LOAD: Final = f"""
INSERT INTO systems ({COLUMNS})
SELECT {COLUMNS} FROM jsonb_to_recordset($1::jsonb) AS source(
    id text, name text, description text, status text, port int, category text, tags text[], type text,
    url text, owner text, version text, metadata jsonb, icon text, color text, host text,
    last_checked timestamptz, response_time_ms int, created_at timestamptz, updated_at timestamptz,
    row_version int)
ON CONFLICT DO NOTHING
RETURNING id
"""


async def load_systems(tx: Database, stored: Sequence[StoredSystem]) -> frozenset[str]:
    """The ids of those that were not there before, nor another one of their name."""
    rows = [{**each.system.model_dump(mode="json"), "row_version": each.row_version} for each in stored]
    return frozenset(row["id"] for row in await tx.query_raw(_LOAD, orjson.dumps(rows).decode()))


async def names_taken(db: Database, wanted_by: Mapping[str, str]) -> dict[str, str]:
    """Of names, each with the id of the system that wants it: those that another one has, with its id."""
    wanted = orjson.dumps([{"id": system_id, "name": name} for name, system_id in wanted_by.items()])
    return {row["name"]: row["id"] for row in await db.query_raw(_NAMES_TAKEN, wanted.decode())}
