"""Takeover of items beyond loading: three-way comparison, records in the form of the source, and reversal."""

from collections.abc import Sequence
from typing import Final

import orjson

from core.database.client import Database
from core.database.import_table import ImportTable, Verdict
from features.items.sql.bulk import DIGEST, digest, moment

TAKEOVER: Final = ImportTable(
    "items",
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
)

_VERDICTS: Final = f"""
WITH source AS (
    SELECT * FROM jsonb_to_recordset($1::jsonb) AS source(id text, digest text, content text, base text)),
held AS MATERIALIZED (
    SELECT items.id, {DIGEST} AS digest, {digest("NULL")} AS content FROM items
    WHERE items.id IN (SELECT id FROM source) ORDER BY items.id FOR UPDATE OF items)
SELECT source.id, CASE
    WHEN held.id IS NULL THEN CASE WHEN source.base IS NULL THEN 'new' ELSE 'deleted' END
    WHEN held.digest = source.digest THEN 'same'
    WHEN held.digest = source.base THEN 'changed'
    WHEN held.content = source.content THEN 'same'
    WHEN source.base IS NULL THEN 'taken' ELSE 'edited' END AS verdict
FROM source LEFT JOIN held ON held.id = source.id
"""

_RECORD: Final = f"""json_build_array(id, title, description, category, priority, status, tags,
    {moment("created_at")}, {moment("updated_at")}, legacy::text)"""

_RECORDS: Final = f"SELECT json_agg({_RECORD})::text FROM items WHERE id = ANY($1::text[])"

_CHANGED_HERE: Final = """
SELECT id FROM items WHERE id = ANY($1::text[]) AND version IS DISTINCT FROM import_version
"""

_IDS_AFTER: Final = f"""
SELECT json_agg(json_build_array({moment("created_at")}, id) ORDER BY created_at, id)::text FROM (
    SELECT created_at, id FROM items
    WHERE created_at >= $1::timestamptz AND (created_at > $1::timestamptz OR id > $2)
    ORDER BY created_at, id LIMIT $3::int) AS next_rows
"""


async def verdicts(tx: Database, entries_json: str) -> dict[str, Verdict]:
    """Verdicts as `features.items.api.verdicts` describes them."""
    return {row["id"]: row["verdict"] for row in await tx.query_raw(_VERDICTS, entries_json)}


async def records(db: Database, ids: Sequence[str]) -> list[list[object]]:
    """Fields of `LegacyItem`, in no order; ids without a row are left out."""
    found = await db.query_text(_RECORDS, list(ids))
    return [] if found is None else orjson.loads(found)


async def changed_here(db: Database, ids: Sequence[str]) -> list[str]:
    return [row["id"] for row in await db.query_raw(_CHANGED_HERE, list(ids))]


async def ids_after(db: Database, moment: str, item_id: str, limit: int) -> list[tuple[str, str]]:
    """Next items (time of creation, id), oldest first."""
    found = await db.query_text(_IDS_AFTER, moment, item_id, limit)
    return [] if found is None else [(row[0], row[1]) for row in orjson.loads(found)]
