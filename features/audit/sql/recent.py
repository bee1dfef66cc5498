"""Newest entries of several kinds, each kind by its own index, without the changed values, which may be long:
no typed call can express either.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from core.database.client import Database
from core.http.request.fields import to_iso
from features.audit.schemas import Trace, TraceKind

# Each kind is a branch of its own, for which the planner can choose an index by how frequent the kind is. The
# entries' values, which may be long, stay where they are.
_OF_KIND: Final = """(
    SELECT *, changes -> {} AS named FROM audit_entries
    WHERE entity = {} AND action = {} AND at >= $1::timestamptz
    ORDER BY at DESC, id DESC LIMIT $2::int
)"""
_RECENT: Final = """
SELECT id::text AS id, entity, entity_id, action, actor, at,
    ARRAY(SELECT jsonb_object_keys(changes) ORDER BY 1) AS fields,
    coalesce(named ->> 'after', named ->> 'before') AS label
FROM (SELECT * FROM ({}) AS every ORDER BY at DESC, every.id DESC LIMIT $2::int) AS newest
ORDER BY at DESC, newest.id DESC
"""


def recent_statement(kinds: int) -> str:
    """Takes the moment, the limit, and then label, entity and action of each kind."""
    places = (f"${number}" for number in range(3, 3 + 3 * kinds))
    branches = (_OF_KIND.format(*kind) for kind in zip(places, places, places, strict=True))
    return _RECENT.format("UNION ALL".join(branches))


async def find_recent(db: Database, kinds: Sequence[TraceKind], since: datetime, limit: int) -> list[Trace]:
    """The newest entries of these kinds, which must be some."""
    arguments = [text for kind in kinds for text in kind]
    rows = await db.query_raw(recent_statement(len(kinds)), to_iso(since), limit, *arguments)
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
