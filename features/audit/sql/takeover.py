"""Takeover of an old audit log's entries in whole batches: added once and, like all, never changed."""

import hashlib
import json
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from typing import Final, Self

import orjson

from core.database.client import Database
from core.database.import_table import Difference, Row, Verdict, Written, line_of_json

_COLUMNS: Final = "entity, entity_id, action, actor, client, changes, at, legacy"
_SOURCE: Final = """ROWS FROM (jsonb_to_recordset($1::jsonb) AS (
    id text, entity text, entity_id text, action text, actor text, client text, changes jsonb, at timestamptz,
    legacy text)) WITH ORDINALITY"""

_LOAD: Final = f"""
WITH written AS (
    INSERT INTO audit_entries ({_COLUMNS}, legacy_id, import_job_id)
    SELECT {_COLUMNS}::json, id, $2::uuid FROM {_SOURCE} ORDER BY ordinality
    ON CONFLICT (legacy_id) WHERE legacy_id IS NOT NULL DO NOTHING RETURNING legacy_id)
SELECT jsonb_array_length($1::jsonb) AS total, coalesce(json_agg(legacy_id), '[]')::text AS inserted
FROM written
"""
_EXISTING: Final = "SELECT legacy_id FROM audit_entries WHERE legacy_id = ANY($1::text[])"
_COMPARE: Final = f"""
SELECT source.id, stored.id IS NULL AS missing, stored.import_job_id::text AS import_job_id,
    1 AS version, 1 AS import_version
FROM {_SOURCE} AS source LEFT JOIN audit_entries AS stored ON stored.legacy_id = source.id
WHERE stored.id IS NULL OR (stored.entity, stored.entity_id, stored.action, stored.actor, stored.client,
    stored.changes, stored.at, stored.legacy::text) IS DISTINCT FROM (source.entity, source.entity_id,
    source.action, source.actor, source.client, source.changes, source.at, source.legacy)
"""
_MOMENT: Final = """to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')"""
_ROWS: Final = f"""
SELECT json_agg(json_build_object('id', legacy_id, 'entity', entity, 'entity_id', entity_id, 'action', action,
    'actor', actor, 'client', client, 'changes', changes, 'at', {_MOMENT},
    'legacy', legacy::text))::text
FROM audit_entries WHERE legacy_id = ANY($1::text[])
"""
_IDS: Final = "SELECT legacy_id FROM audit_entries WHERE legacy_id > $1 ORDER BY legacy_id LIMIT 10000"


class TakenOverEntries:
    """The statements of an import about batches of entries, as those about rows of other tables. `id` is the
    entry's id in the old log: one that is stored stays as it is, whatever the source says now.
    """

    def without(self, columns: Collection[str]) -> Self:
        return self

    async def load(self, tx: Database, rows_json: str, job_id: str, *, overwrite: bool) -> Written:
        """Add a JSON array of entries, in its order."""
        [found] = await tx.query_raw(_LOAD, rows_json, job_id)
        inserted = orjson.loads(found["inserted"])
        return Written(inserted, kept=int(found["total"]) - len(inserted))

    async def existing(
        self, db: Database, ids: Sequence[str], other_than_job: str | None = None
    ) -> list[str]:
        return [row["legacy_id"] for row in await db.query_raw(_EXISTING, list(ids))]

    async def compare(self, db: Database, digested: Iterable[tuple[str, Row]]) -> list[Difference]:
        """Entries that are missing or different in the trail."""
        rows = b",".join([line_of_json(row) for _, row in digested]).decode()
        return [Difference(**row) for row in await db.query_raw(_COMPARE, f"[{rows}]")]

    async def verdicts(self, tx: Database, entries_json: str) -> dict[str, Verdict]:
        """Verdicts by id: "same" for entries that are stored, "new" for others."""
        ids = [entry["id"] for entry in orjson.loads(entries_json)]
        stored = frozenset(await self.existing(tx, ids))
        return {entry_id: "same" if entry_id in stored else "new" for entry_id in ids}

    async def rows(self, db: Database, ids: Sequence[str]) -> dict[str, Row]:
        found = await db.query_text(_ROWS, list(ids))
        return {} if found is None else {row["id"]: row for row in json.loads(found)}

    async def every_id(self, db: Database) -> AsyncIterator[list[str]]:
        """Batches of all old entries' ids in the trail."""
        last = ""
        while found := [row["legacy_id"] for row in await db.query_raw(_IDS, last)]:
            yield found
            last = found[-1]

    def differing(self, row: Row, stored: Row) -> list[str]:
        return [name for name in row if stored[name] != row[name]]

    def digest(self, row: Row) -> str:
        return hashlib.sha256(line_of_json(row)).hexdigest()

    content_digest = digest


TAKEOVER: Final = TakenOverEntries()
