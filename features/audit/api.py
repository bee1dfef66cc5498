"""The audit trail for other slices: add an entry in the writer's own transaction, read the newest ones, and
take over the entries of an old log. `TAKEOVER` adds each once; its user invalidates `AUDIT_TAGS` after the
commit.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime

from pydantic import JsonValue

from core.database.client import Database
from features.audit import queries
from features.audit.cache import AUDIT_TAGS
from features.audit.schemas import (
    MAX_PAGE,
    Action,
    AuditEntry,
    AuditQuery,
    AuditRecord,
    Place,
    Trace,
    TraceKind,
)
from features.audit.sql.export import entries_of, made_here
from features.audit.sql.recent import find_recent
from features.audit.sql.takeover import TAKEOVER

"""Entity name of entries about the trail itself."""

Facts = Mapping[str, JsonValue]
"""Row as the API shows it."""


async def record(tx: Database, entry: AuditEntry) -> None:
    """Add an entry. `tx` must be the transaction of the change, so that neither exists without the other."""
    await queries.create(tx, entry)


async def recent(db: Database, kinds: Sequence[TraceKind], since: datetime, *, limit: int) -> list[Trace]:
    """The newest entries of these kinds, with one query.

    A cached response made of them depends on `AUDIT_TAGS`, and on the tags of the slices whose rows they are.
    """
    return await find_recent(db, kinds, since, limit) if kinds else []


async def deleted_since(db: Database, entity: str, ids: Sequence[str], since: datetime) -> frozenset[str]:
    """Ids of those rows that somebody has deleted since then."""
    return await queries.deleted_since(db, entity, ids, since)


def differences(before: Facts, after: Facts) -> dict[str, JsonValue]:
    """Fields that differ, as `{field: {"before": ..., "after": ...}}`; null for a side that lacks a field."""
    return {
        field: {"before": before.get(field), "after": after.get(field)}
        for field in (*before, *(field for field in after if field not in before))
        if field not in before or field not in after or before[field] != after[field]
    }


async def every_record(db: Database) -> AsyncIterator[list[AuditRecord]]:
    """Batches of all entries, newest first."""
    place: Place | None = None
    while found := await queries.find_entries(db, AuditQuery(), after=place, offset=0, take=MAX_PAGE):
        place = Place(found[-1].at, int(found[-1].id))
        yield found
