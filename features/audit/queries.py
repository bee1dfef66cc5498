"""Queries of audit entries by the typed client. Functions take `db` first and open no transaction."""

from collections.abc import Sequence
from datetime import datetime
from typing import cast

from prisma import Json
from prisma.bases import BaseAuditEntry
from prisma.models import AuditEntry as AuditEntryRow
from prisma.types import AuditEntryCreateInput, AuditEntryWhereInput, DateTimeFilter, Serializable
from pydantic import JsonValue

from core.database.client import Database
from features.audit.schemas import Action, AuditEntry, AuditQuery, AuditRecord, Place


class EntityId(BaseAuditEntry):
    """Entity id of an entry."""

    entity_id: str


class EntryId(BaseAuditEntry):
    id: int


async def create(tx: Database, entry: AuditEntry) -> None:
    data: AuditEntryCreateInput = {
        "entity": entry.entity,
        "entity_id": entry.entity_id,
        "action": entry.action,
        "actor": entry.actor,
        "request_id": entry.request_id,
        "client": entry.client,
        "changes": Json(cast("dict[str, Serializable]", dict(entry.changes))),
    }
    if entry.at is not None:
        data["at"] = entry.at
    await tx.auditentry.create(data=data)


async def find_entries(
    db: Database, wanted: AuditQuery, *, after: Place | None, offset: int, take: int
) -> list[AuditRecord]:
    """Matching entries, newest first."""
    where = _where(wanted)
    if after is not None:
        # The first condition repeats part of the second: it is the one that an index can jump to.
        where["AND"] = [
            {"at": {"lte": after.at}},
            {"OR": [{"at": {"lt": after.at}}, {"id": {"lt": after.id}}]},
        ]
    rows = await db.auditentry.find_many(
        where=where, order=[{"at": "desc"}, {"id": "desc"}], skip=offset or None, take=take
    )
    return [_entry(row) for row in rows]


async def count_entries(db: Database, wanted: AuditQuery, *, at_most: int) -> int:
    """Number of matching entries up to `at_most`, so that the cost does not grow with the trail."""
    return await db.auditentry.count(where=_where(wanted), take=at_most)


async def deleted_since(db: Database, entity: str, ids: Sequence[str], since: datetime) -> frozenset[str]:
    rows = await EntityId.prisma(db).find_many(
        where={"entity": entity, "entity_id": {"in": list(ids)}, "action": "deleted", "at": {"gte": since}}
    )
    return frozenset(row.entity_id for row in rows)


async def count_older(db: Database, than: datetime) -> int:
    return await db.auditentry.count(where={"at": {"lt": than}})


async def delete_older(tx: Database, than: datetime, *, limit: int) -> int:
    """Delete the oldest entries first; returns how many. A trigger refuses it without `sql.retention`."""
    oldest = await EntryId.prisma(tx).find_many(
        where={"at": {"lt": than}}, order=[{"at": "asc"}, {"id": "asc"}], take=limit
    )
    return await tx.auditentry.delete_many(where={"id": {"in": [entry.id for entry in oldest]}})


def _where(wanted: AuditQuery) -> AuditEntryWhereInput:
    columns = {"entity", "entity_id", "action", "actor", "request_id"}
    where = cast(AuditEntryWhereInput, wanted.model_dump(include=columns, exclude_none=True))
    moments: DateTimeFilter = {}
    if wanted.since is not None:
        moments["gte"] = wanted.since
    if wanted.until is not None:
        moments["lt"] = wanted.until
    if moments:
        where["at"] = moments
    return where


def _entry(row: AuditEntryRow) -> AuditRecord:
    """Entry as the API shows it, not validated again: the database's constraints hold for what it returns."""
    return AuditRecord.model_construct(
        id=str(row.id),
        entity=row.entity,
        entity_id=row.entity_id,
        action=cast(Action, row.action),
        user=row.actor,
        at=row.at,
        request_id=row.request_id,
        client=row.client,
        taken_over=_taken_over(row),
        changes=cast("dict[str, JsonValue]", row.changes),
    )


def _taken_over(row: AuditEntryRow) -> dict[str, JsonValue] | None:
    if row.legacy_id is None:
        return None
    return {"id": row.legacy_id, **cast("dict[str, JsonValue]", row.legacy or {})}
