"""Queries of changes by the typed client. Functions take `db` first and open no transaction."""

from typing import cast

from prisma.models import ChangeEvent
from prisma.types import ChangeEventWhereInput

from core.database.client import Database
from features.changes.schemas import Action, Audience, Change, ChangeFilter, Event, Extent

ROW = 1
"""The id of the only row of positions."""


async def events_after(
    db: Database, position: int, wanted: ChangeFilter, audience: Audience, *, take: int
) -> list[Event]:
    """The next events after the position that match and that the audience may see."""
    given = wanted.model_dump(include={"entity", "entity_id", "action"}, exclude_none=True)
    where = cast(ChangeEventWhereInput, {"position": {"gt": position}, **given, **_seen_by(audience)})
    rows = await db.changeevent.find_many(where=where, order={"position": "asc"}, take=take)
    return [_event(row) for row in rows]


async def newest_seen(db: Database, position: int, audience: Audience) -> int:
    """The position of the newest event up to this position that the audience may see: a later one would tell
    it of others. Without any the beginning of what is kept.
    """
    if audience.name is None:
        return position
    kept_from = (await extent_of(db)).kept_from
    where = cast(
        ChangeEventWhereInput, {"position": {"gt": kept_from, "lte": position}, **_seen_by(audience)}
    )
    row = await db.changeevent.find_first(where=where, order={"position": "desc"})
    return kept_from if row is None or row.position is None else row.position


async def extent_of(db: Database) -> Extent:
    row = await db.changeposition.find_unique(where={"id": ROW})
    return Extent(0, 0) if row is None else Extent(row.newest, row.kept_from)


async def keep_from(db: Database, position: int) -> None:
    await db.changeposition.upsert(
        where={"id": ROW},
        data={"create": {"id": ROW, "kept_from": position}, "update": {"kept_from": position}},
    )


async def delete_before(db: Database, position: int, *, limit: int) -> int:
    """Delete so many of the events before the position; returns how many."""
    rows = await db.changeevent.find_many(
        where={"position": {"lt": position}}, order={"position": "asc"}, take=limit
    )
    return await db.changeevent.delete_many(where={"id": {"in": [row.id for row in rows]}})


def _seen_by(audience: Audience) -> ChangeEventWhereInput:
    if audience.name is None:
        return {}
    open_to_all = {"entity": {"in": sorted(audience.entities)}}
    return cast(ChangeEventWhereInput, {"OR": [{"audience": None}, {"audience": audience.name}, open_to_all]})


def _event(row: ChangeEvent) -> Event:
    """Not validated again: the triggers write what the audit trail's constraints allow."""
    assert row.position is not None
    change = Change.model_construct(
        position=str(row.position),
        at=row.at,
        entity=row.entity,
        entity_id=row.entity_id,
        action=cast(Action, row.action),
        fields=row.fields,
        user=row.actor,
    )
    return Event(row.position, change, row.audience)
