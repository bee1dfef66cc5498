"""Deliveries of changes, made in the transaction that moves the positions of the webhooks on."""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import uuid4

from core.database.client import Database
from core.http.request.fields import to_iso
from features.changes.api import Audience, ChangeFilter, Event
from features.webhooks import sql
from features.webhooks.queries import deliveries, registry
from features.webhooks.schemas import Moved, NewDelivery, Payload


async def materialise(
    tx: Database, events: Sequence[Event], start: int, end: int, lost_until: int | None
) -> int:
    """Make the deliveries of these events, which are all after `start` up to `end`; returns how many.
    Webhooks that have not read what may have been deleted before `lost_until` say so.
    """
    moved = await sql.move(tx, start, end)
    late = [] if lost_until is None else [each for each in moved if each.was < lost_until]
    if lost_until is not None and late:
        since, until = (_moment(position) for position in (min(each.was for each in late), lost_until))
        await registry.note(
            tx,
            [each.id for each in late],
            f"Changes between {since} and {until} may have been forgotten (CHANGES_RETENTION_DAYS) before "
            "they could be told: read anew what you keep",
        )
    made = [
        _delivery(event, webhook)
        for webhook in moved
        for event in events
        if event.position > webhook.was and event.seen_by(Audience(), _filter(webhook))
    ]
    if made:
        await deliveries.create_deliveries(tx, made)
        await sql.release(tx, [each.id for each in made])
    return len(made)


def _filter(webhook: Moved) -> ChangeFilter:
    return ChangeFilter.model_construct(
        entity=webhook.entity, entity_id=webhook.entity_id, action=webhook.action
    )


def _delivery(event: Event, webhook: Moved) -> NewDelivery:
    change = event.change
    kind = f"{change.entity}.{change.action}"
    return NewDelivery(
        id=f"msg_{uuid4().hex}",
        webhook_id=webhook.id,
        position=event.position,
        type=kind,
        entity=change.entity,
        entity_id=change.entity_id,
        body=Payload(type=kind, timestamp=change.at, data=change).model_dump_json(by_alias=True),
    )


def _moment(position: int) -> str:
    """Positions are moments in microseconds."""
    return to_iso(datetime.fromtimestamp(position / 1_000_000, UTC))
