"""Queries of webhooks."""

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime
from typing import Any, Final, cast

from prisma.bases import BaseWebhook
from prisma.models import Webhook as WebhookRow
from prisma.types import WebhookCreateInput, WebhookOrderByInput, WebhookUpdateInput

from core.database.client import Database
from core.http.answers.conditional import Precondition, RowState, WriteRow, conditional_write
from core.http.answers.envelope import Row, row_of
from core.http.answers.pagination import Position, beyond
from core.http.answers.projection import Projected, projected
from core.http.request.fields import now
from features.webhooks.errors import WebhookChanged, WebhookNotFound
from features.webhooks.schemas import Webhook, WebhookSecret

SCOPE: Final = ("webhooks",)
NEWEST_FIRST: Final[list[WebhookOrderByInput]] = [{"created_at": "desc"}, {"id": "asc"}]


class WebhookPosition(BaseWebhook):
    """Position of a webhook, without its secrets."""

    position: int


class WebhookUrl(BaseWebhook):
    """URL of a webhook, without its secrets."""

    id: str
    url: str


async def list_webhooks(db: Database, *, after: Position | None, offset: int, size: int) -> Projected:
    """Webhooks, newest first, ties by id."""
    return await projected(
        db,
        Webhook,
        lambda take: db.webhook.find_many(
            where={} if after is None else {"AND": beyond(after)},
            order=NEWEST_FIRST,
            skip=offset or None,
            take=take,
        ),
        size=size,
        scope=SCOPE,
    )


async def count_webhooks(db: Database) -> int:
    return await db.webhook.count()


async def urls_of(db: Database, ids: Collection[str]) -> dict[str, str]:
    """URLs of the webhooks that exist, by id."""
    rows = await WebhookUrl.prisma(db).find_many(where={"id": {"in": list(ids)}})
    return {row.id: row.url for row in rows}


async def find_webhook(db: Database, webhook_id: str) -> Row | None:
    row = await db.webhook.find_unique(where={"id": webhook_id})
    return None if row is None else _shown(row)


async def create_webhook(db: Database, values: dict[str, Any]) -> Row:
    """The webhook with its secret."""
    return _with_secret(await db.webhook.create(data=cast(WebhookCreateInput, values)))


async def update_webhook(db: Database, webhook_id: str, values: dict[str, Any], seen: Precondition) -> Row:
    """Raises WebhookNotFound; WebhookChanged if it is not as its writer has seen it."""
    data = cast(WebhookUpdateInput, {**values, "notice": None, "updated_at": now()})
    return await _change(db, webhook_id, seen, lambda where: db.webhook.update(where=where, data=data))


async def replace_secret(db: Database, webhook_id: str, secret: str) -> Row:
    """Replace the secret and return the webhook with it; the one before is kept beside it. Raises
    WebhookNotFound, and WebhookChanged if somebody else does so at the same time.
    """
    if (row := await db.webhook.find_unique(where={"id": webhook_id})) is None:
        raise WebhookNotFound(webhook_id)
    changed = await db.webhook.update(
        where={"id": webhook_id, "row_version": row.row_version},
        data={"secret": secret, "previous_secret": row.secret, "rotated_at": now()},
    )
    if changed is None:
        raise WebhookChanged(webhook_id)
    return _with_secret(changed)


async def forget_secrets(db: Database, replaced_before: datetime) -> None:
    await db.webhook.update_many(
        where={"rotated_at": {"lt": replaced_before}, "NOT": [{"previous_secret": None}]},
        data={"previous_secret": None},
    )


async def delete_webhook(db: Database, webhook_id: str, seen: Precondition) -> Row:
    """Delete a webhook with its deliveries and return it. Raises as `update_webhook` does."""
    return await _change(db, webhook_id, seen, lambda where: db.webhook.delete(where=where))


async def turn_off(db: Database, ids: Collection[str], notice: str) -> None:
    await db.webhook.update_many(
        where={"id": {"in": list(ids)}, "active": True}, data={"active": False, "notice": notice}
    )


async def note(db: Database, ids: Collection[str], notice: str) -> None:
    await db.webhook.update_many(where={"id": {"in": list(ids)}}, data={"notice": notice})


async def positions(db: Database) -> list[int]:
    """Positions of active webhooks, the earliest first."""
    rows = await WebhookPosition.prisma(db).find_many(where={"active": True}, order={"position": "asc"})
    return [row.position for row in rows]


async def _change(db: Database, webhook_id: str, seen: Precondition, write: WriteRow[WebhookRow]) -> Row:
    async def find() -> RowState | None:
        row = await find_webhook(db, webhook_id)
        return None if row is None else RowState(row.etag, {"row_version": row.version})

    return _shown(await conditional_write(seen, webhook_id, find, write, WebhookNotFound, WebhookChanged))


def _shown(row: WebhookRow) -> Row:
    return row_of(Webhook, row, row.row_version)


def _with_secret(row: WebhookRow) -> Row:
    """With the tag of the webhook as it is read later, without the secret."""
    return replace(row_of(WebhookSecret, row, row.row_version), tag=_shown(row).etag)
