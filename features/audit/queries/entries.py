"""Single entries and pages of them, and the deletion of old ones."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, cast

from prisma import Json
from prisma.models import AuditEntry as AuditEntryRow
from prisma.types import AuditEntryCreateInput, AuditEntryWhereInput, DateTimeFilter, Serializable
from pydantic import JsonValue

from core.database.client import Database
from core.http.timestamps import to_iso
from features.audit.schemas import Action, AuditEntry, AuditQuery, AuditRecord, Place, Trace

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

_ENTRIES: Final = """
INSERT INTO audit_entries (entity, entity_id, action, actor, request_id, client, changes)
SELECT '{entity}', changed.id, '{action}', {author}, coalesce((
    SELECT jsonb_object_agg(field, jsonb_build_object('before', old.value, 'after', new.value))
    FROM jsonb_each(changed.before) AS old(field, value)
        FULL JOIN jsonb_each(changed.after) AS new(field, value) USING (field)
    WHERE old.value IS DISTINCT FROM new.value), '{{}}')
FROM {changed} AS changed
"""

_ALLOW_DELETION: Final = "SELECT set_config('handover.audit_retention', 'on', true)"
_DELETE: Final = """
DELETE FROM audit_entries
WHERE id IN (SELECT id FROM audit_entries WHERE at < $1::timestamptz ORDER BY at, id LIMIT $2::int)
"""


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


def entries_of(changed: str, entity: str, action: Action, *, author: str) -> str:
    """The statement that `features.audit.api.entries_of` describes."""
    return _ENTRIES.format(changed=changed, entity=entity, action=action, author=author)


async def find_entries(
    db: Database, wanted: AuditQuery, *, after: Place | None, offset: int, take: int
) -> list[AuditRecord]:
    """Newest first."""
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
    """No further than `at_most`, so that it costs the same in a trail of any length."""
    return await db.auditentry.count(where=_where(wanted), take=at_most)


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


async def deleted_since(db: Database, entity: str, ids: Sequence[str], since: datetime) -> frozenset[str]:
    rows = await db.auditentry.find_many(
        where={"entity": entity, "entity_id": {"in": list(ids)}, "action": "deleted", "at": {"gte": since}}
    )
    return frozenset(row.entity_id for row in rows)


async def count_older(db: Database, than: datetime) -> int:
    return await db.auditentry.count(where={"at": {"lt": than}})


async def delete_older(tx: Database, than: datetime, *, limit: int) -> int:
    """Deletes the oldest first, and says how many. The trigger lets only this transaction delete."""
    await tx.query_raw(_ALLOW_DELETION)
    return await tx.execute_raw(_DELETE, to_iso(than), limit)


def _where(wanted: AuditQuery) -> AuditEntryWhereInput:
    where: AuditEntryWhereInput = {}
    if wanted.entity is not None:
        where["entity"] = wanted.entity
    if wanted.entity_id is not None:
        where["entity_id"] = wanted.entity_id
    if wanted.action is not None:
        where["action"] = wanted.action
    if wanted.actor is not None:
        where["actor"] = wanted.actor
    if wanted.request_id is not None:
        where["request_id"] = wanted.request_id
    moments: DateTimeFilter = {}
    if wanted.since is not None:
        moments["gte"] = wanted.since
    if wanted.until is not None:
        moments["lt"] = wanted.until
    if moments:
        where["at"] = moments
    return where


def _entry(row: AuditEntryRow) -> AuditRecord:
    """Not validated again: the database's own constraints hold for what it returns."""
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
