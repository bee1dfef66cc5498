"""Queries of deliveries."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, cast

from prisma.models import WebhookDelivery as DeliveryRow
from prisma.types import WebhookDeliveryCreateWithoutRelationsInput, WebhookDeliveryWhereInput

from core.database.client import Database
from core.http.request.fields import now
from features.webhooks.schemas import Delivery, DeliveryQuery, NewDelivery, State

_COLUMNS: Final = ("id", "webhook_id", "position", "type", "entity", "entity_id", "body")


async def create_deliveries(db: Database, made: Sequence[NewDelivery]) -> None:
    await db.webhookdelivery.create_many(
        data=[
            cast(WebhookDeliveryCreateWithoutRelationsInput, {name: getattr(each, name) for name in _COLUMNS})
            for each in made
        ]
    )


async def find_deliveries(
    db: Database, webhook_id: str, query: DeliveryQuery, *, before: int | None, take: int
) -> list[Delivery]:
    """Deliveries of a webhook, those of the newest changes first."""
    where = _where(webhook_id, query)
    if before is not None:
        where["position"] = {"lt": before}
    rows = await db.webhookdelivery.find_many(
        where=where, order={"position": "desc"}, skip=query.offset or None, take=take
    )
    return [_delivery(row) for row in rows]


async def count_deliveries(db: Database, webhook_id: str, query: DeliveryQuery) -> int:
    return await db.webhookdelivery.count(where=_where(webhook_id, query))


async def find_delivery(db: Database, webhook_id: str, delivery_id: str) -> Delivery | None:
    row = await db.webhookdelivery.find_first(where={"id": delivery_id, "webhook_id": webhook_id})
    return None if row is None else _delivery(row)


async def redeliver(db: Database, webhook_id: str, delivery_id: str) -> None:
    """Make a delivery due now, as if it were new, unless it waits for an earlier one of its row."""
    await db.webhookdelivery.update_many(
        where={
            "id": delivery_id,
            "webhook_id": webhook_id,
            "OR": [{"state": {"not": "waiting"}}, {"NOT": [{"next_attempt_at": None}]}],
        },
        data={
            "state": "waiting",
            "attempts": 0,
            "next_attempt_at": now(),
            "first_attempt_at": None,
            "ended_at": None,
        },
    )


async def delete_ended(db: Database, before: datetime, *, limit: int) -> int:
    """Delete so many deliveries that ended before; returns how many."""
    rows = await db.webhookdelivery.find_many(where={"ended_at": {"lt": before}}, take=limit)
    return await db.webhookdelivery.delete_many(where={"id": {"in": [row.id for row in rows]}})


async def waiting(db: Database) -> tuple[int, datetime | None]:
    """Number of deliveries that wait, and the moment since which the oldest does."""
    count = await db.webhookdelivery.count(where={"state": "waiting"})
    oldest = await db.webhookdelivery.find_first(where={"state": "waiting"}, order={"created_at": "asc"})
    return count, None if oldest is None else oldest.created_at


def _where(webhook_id: str, query: DeliveryQuery) -> WebhookDeliveryWhereInput:
    where: WebhookDeliveryWhereInput = {"webhook_id": webhook_id}
    if query.state is not None:
        where["state"] = query.state
    return where


def _delivery(row: DeliveryRow) -> Delivery:
    values = {name: getattr(row, name) for name in Delivery.model_fields}
    return Delivery.model_construct(
        **{**values, "position": str(row.position), "state": cast(State, row.state)}
    )
