"""Entries as exports read them: in the order of their ids, those of an old log with what it said."""

from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

import orjson

from core.database.client import Database

_PAGE: Final = """
SELECT json_agg(json_build_object(
    'number', id, 'legacy_id', legacy_id, 'entity', entity, 'entity_id', entity_id, 'action', action,
    'actor', actor, 'client', client, 'changes', changes,
    'at', to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), 'legacy', legacy)
    ORDER BY id)::text
FROM (SELECT * FROM audit_entries WHERE id > $1::bigint AND (legacy_id IS NOT NULL
    OR entity = ANY($2::text[]) AND action <> 'imported') ORDER BY id LIMIT 500) AS page
"""


async def entries_of(db: Database, entities: Sequence[str]) -> AsyncIterator[list[dict[str, Any]]]:
    """Batches of the entries about rows of these entities, and of all that were taken over."""
    last = 0
    while (found := await db.query_text(_PAGE, last, list(entities))) is not None:
        page: list[dict[str, Any]] = orjson.loads(found)
        yield page
        last = page[-1]["number"]
