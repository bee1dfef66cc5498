"""Entries as exports write them into an old log: in the order of their ids, those of an old log with what it
said. One that was made here has an id there, too, by which it is known when it comes back.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

import orjson

from core.database.client import Database

# Numbers alone would be those of entries of other databases, too.
_OLD_ID: Final = """coalesce(legacy_id, md5(concat_ws(E'\\n', 'handover', id, entity, entity_id, action,
    to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')))::uuid::text)"""
_PAGE: Final = f"""
SELECT json_agg(json_build_object(
    'number', id, 'made_here', legacy_id IS NULL, 'legacy_id', {_OLD_ID},
    'entity', entity, 'entity_id', entity_id, 'action', action,
    'actor', actor, 'client', client, 'changes', changes,
    'at', to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), 'legacy', legacy)
    ORDER BY id)::text
FROM (SELECT * FROM audit_entries WHERE id > $1::bigint AND (legacy_id IS NOT NULL
    OR entity = ANY($2::text[]) AND action <> 'imported') ORDER BY id LIMIT 500) AS page
"""
_MADE_HERE: Final = f"""
SELECT source.old_id FROM unnest($1::text[], $2::text[], $3::timestamptz[]) AS source(old_id, entity_id, at)
JOIN audit_entries AS made USING (entity_id, at) WHERE legacy_id IS NULL AND {_OLD_ID} = source.old_id
"""


async def entries_of(db: Database, entities: Sequence[str]) -> AsyncIterator[list[dict[str, Any]]]:
    """Batches of the entries about rows of these entities, and of all that were taken over."""
    last = 0
    while (found := await db.query_text(_PAGE, last, list(entities))) is not None:
        page: list[dict[str, Any]] = orjson.loads(found)
        yield page
        last = page[-1]["number"]


async def made_here(db: Database, entries: Sequence[tuple[str, str, str]]) -> frozenset[str]:
    """Old ids among these entries (old id, entity id, moment) of those that were made here and exported."""
    ids, entity_ids, moments = zip(*entries, strict=True) if entries else ((), (), ())
    found = await db.query_raw(_MADE_HERE, list(ids), list(entity_ids), list(moments))
    return frozenset(row["old_id"] for row in found)
