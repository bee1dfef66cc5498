"""The newest entries of several kinds, each kind by its own index, and without the values that changed, which
may be long: neither can be said of one typed call.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from core.database.client import Database
from core.http.timestamps import to_iso
from features.audit.schemas import Action, Trace

# Each kind is a branch of its own, for which the planner can choose an index by how frequent the kind is. The
# entries' values, which may be long, stay where they are.
_OF_KIND: Final = """(
    SELECT * FROM audit_entries
    WHERE entity = {} AND action = {} AND at >= $1::timestamptz
    ORDER BY at DESC, id DESC LIMIT $2::int
)"""
_RECENT: Final = """
SELECT id::text AS id, entity, entity_id, action, actor, at,
    ARRAY(SELECT jsonb_object_keys(changes) ORDER BY 1) AS fields,
    (SELECT coalesce(value ->> 'after', value ->> 'before') FROM jsonb_each(changes)
        WHERE key = ANY($3::text[]) AND jsonb_typeof(value) = 'object' LIMIT 1) AS label
FROM (SELECT * FROM ({}) AS every ORDER BY at DESC, every.id DESC LIMIT $2::int) AS newest
ORDER BY at DESC, newest.id DESC
"""


def recent_statement(kinds: int) -> str:
    """Takes the moment, the limit, the labels, and then entity and action of each kind."""
    branches = (_OF_KIND.format(f"${4 + 2 * number}", f"${5 + 2 * number}") for number in range(kinds))
    return _RECENT.format("UNION ALL".join(branches))


async def find_recent(
    db: Database,
    kinds: Sequence[tuple[str, Action]],
    since: datetime,
    *,
    labels: Sequence[str],
    limit: int,
) -> list[Trace]:
    """The newest entries of these kinds (entity, action). `labels` are the fields that name a row."""
    pairs = [text for kind in kinds for text in kind]
    rows = await db.query_raw(recent_statement(len(kinds)), to_iso(since), limit, list(labels), *pairs)
    return [
        Trace(
            id=row["id"],
            entity=row["entity"],
            entity_id=row["entity_id"],
            action=row["action"],
            user=row["actor"],
            at=datetime.fromisoformat(row["at"]),
            fields=tuple(row["fields"]),
            label=row["label"],
        )
        for row in rows
    ]
