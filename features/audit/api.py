"""What other slices may use of the audit trail: leaving an entry, in the writer's own transaction, what
happened lately, and taking the entries of an old log over. `TAKEOVER` adds each once; whoever uses it
invalidates `AUDIT_TAGS` after the commit.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from pydantic import JsonValue

from core.database.client import Author, Database
from features.audit import queries
from features.audit.cache import AUDIT_TAGS
from features.audit.schemas import RETENTION_ENTITY, Action, AuditEntry, Trace, TraceKind
from features.audit.sql.recent import find_recent
from features.audit.sql.takeover import TAKEOVER, TakenOverEntries

__all__ = [
    "AUDIT_TAGS",
    "ENTITY",
    "TAKEOVER",
    "Action",
    "AuditEntry",
    "Author",
    "JsonValue",
    "TakenOverEntries",
    "Trace",
    "TraceKind",
    "deleted_since",
    "differences",
    "recent",
    "record",
]

ENTITY: Final = RETENTION_ENTITY
"""What an entry about the trail itself names."""

Facts = Mapping[str, JsonValue]
"""A row as the API shows it."""


async def record(tx: Database, entry: AuditEntry) -> None:
    """`tx` must be the transaction of the change, so that neither exists without the other."""
    await queries.create(tx, entry)


async def recent(db: Database, kinds: Sequence[TraceKind], since: datetime, *, limit: int) -> list[Trace]:
    """The newest entries of these kinds, with one query.

    A cached answer made of them hangs on `AUDIT_TAGS`, and on the tags of the slices whose rows they are.
    """
    return await find_recent(db, kinds, since, limit) if kinds else []


async def deleted_since(db: Database, entity: str, ids: Sequence[str], since: datetime) -> frozenset[str]:
    """Those of the rows that somebody has deleted since then."""
    return await queries.deleted_since(db, entity, ids, since)


def differences(before: Facts, after: Facts) -> dict[str, JsonValue]:
    """The fields that differ, as `{field: {"before": ..., "after": ...}}`; a side that lacks a field says
    null.
    """
    return {
        field: {"before": before.get(field), "after": after.get(field)}
        for field in (*before, *(field for field in after if field not in before))
        if field not in before or field not in after or before[field] != after[field]
    }
