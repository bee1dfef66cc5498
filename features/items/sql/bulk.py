"""Bulk load and comparison of items: whole batches of an import, one statement each."""

from collections.abc import Sequence
from typing import Final

import orjson

from core.database.client import Database
from core.database.import_table import Difference
from core.database.transaction import unaudited
from features.items.schemas import LoadCounts

# $1 is an array of `LegacyItem.row`: arrays are less to send and to parse than objects with their keys.
_INSERT: Final = """
INSERT INTO items (id, title, description, category, priority, status, created_at, updated_at, legacy, tags,
    import_job_id, import_version)
SELECT fields ->> 0, fields ->> 1, fields ->> 2, fields ->> 3, fields ->> 4, fields ->> 5,
    (fields ->> 6)::timestamptz, (fields ->> 7)::timestamptz, (fields ->> 8)::json,
    ARRAY(SELECT jsonb_array_elements_text(tags)), $2::uuid, 1
FROM (SELECT row -> 0 AS fields, row -> 1 AS tags FROM jsonb_array_elements($1::jsonb) AS row) AS source
"""

# Mostly all rows are written: then their ids are not sent.
_WRITTEN: Final = """CASE WHEN count(*) < jsonb_array_length($1::jsonb)
    THEN coalesce(json_agg(id), '[]')::text END AS written"""

_LOAD_KEEPING: Final = f"""
WITH written AS ({_INSERT} ON CONFLICT (id) DO NOTHING RETURNING id)
SELECT jsonb_array_length($1::jsonb) AS total, count(*)::int AS inserted, 0 AS updated, {_WRITTEN}
FROM written
"""

_LOAD_OVERWRITING: Final = f"""
WITH written AS ({_INSERT}
    ON CONFLICT (id) DO UPDATE SET
        title = excluded.title, description = excluded.description, category = excluded.category,
        priority = excluded.priority, status = excluded.status, tags = excluded.tags,
        created_at = excluded.created_at, updated_at = excluded.updated_at, legacy = excluded.legacy,
        import_job_id = excluded.import_job_id,
        version = items.version + 1, import_version = items.version + 1
    WHERE (items.title, items.description, items.category, items.priority, items.status,
           items.tags, items.created_at, items.updated_at, items.legacy::text)
        IS DISTINCT FROM
          (excluded.title, excluded.description, excluded.category, excluded.priority, excluded.status,
           excluded.tags, excluded.created_at, excluded.updated_at, excluded.legacy::text)
    RETURNING id, xmax = 0 AS inserted)
SELECT jsonb_array_length($1::jsonb) AS total,
    count(*) FILTER (WHERE inserted)::int AS inserted, count(*) FILTER (WHERE NOT inserted)::int AS updated,
    {_WRITTEN}
FROM written
"""


def moment(column: str) -> str:
    return f"""to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')"""


def digest(updated_at: str) -> str:
    return f"""encode(sha256(convert_to(
    '[' || to_json(ARRAY[items.id, items.title, items.description, items.category, items.priority,
        items.status, {moment("items.created_at")}, {updated_at}, items.legacy::text])::text
    || ',' || to_json(items.tags)::text || ']', 'UTF8')), 'hex')"""


# Of the same text as `LegacyItem.row`.
DIGEST: Final = digest(moment("items.updated_at"))

_COMPARE: Final = f"""
SELECT source.id, items.id IS NULL AS missing, items.import_job_id::text AS import_job_id,
    items.version, items.import_version
FROM (SELECT pair ->> 0 AS id, pair ->> 1 AS digest FROM jsonb_array_elements($1::jsonb) AS pair) AS source
LEFT JOIN items ON items.id = source.id
WHERE items.id IS NULL OR {DIGEST} <> source.digest
"""

_EXISTING: Final = """
SELECT items.id FROM unnest($1::text[]) AS source(id) JOIN items ON items.id = source.id
WHERE $2::uuid IS NULL OR items.import_job_id IS DISTINCT FROM $2::uuid
"""


async def load_rows(tx: Database, rows_json: str, job_id: str, *, overwrite: bool) -> LoadCounts:
    """Write a batch in one statement; identical rows are left alone, so their version and ETag stay."""
    await unaudited(tx, "items")
    statement = _LOAD_OVERWRITING if overwrite else _LOAD_KEEPING
    [row] = await tx.query_raw(statement, rows_json, job_id)
    inserted, updated = int(row["inserted"]), int(row["updated"])
    rest = int(row["total"]) - inserted - updated
    return LoadCounts(
        inserted,
        updated,
        unchanged=rest if overwrite else 0,
        kept=0 if overwrite else rest,
        written=None if row["written"] is None else orjson.loads(row["written"]),
    )


async def compare(db: Database, proofs_json: str) -> list[Difference]:
    """Rows that differ or are missing. PostgreSQL computes each row's digest from its columns."""
    return [Difference(**row) for row in await db.query_raw(_COMPARE, proofs_json)]


async def existing_ids(db: Database, ids: Sequence[str], other_than_job: str | None = None) -> list[str]:
    rows = await db.query_raw(_EXISTING, list(ids), other_than_job)
    return [row["id"] for row in rows]
