"""Service of webhooks: pages, what a write changes, and secrets, which only the answer of a write holds."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final
from uuid import uuid4

import structlog

from core.database.client import AuthoredDatabase, Database
from core.database.transaction import retried, unit_of_work
from core.deps import ActorName
from core.feature import Feature
from core.http.answers.conditional import Precondition
from core.http.answers.envelope import ListEnvelope, Row, listed
from core.http.answers.long_lists import Listing
from core.http.answers.pagination import check_start, decode_place, decode_position, encode_place
from core.http.answers.projection import Projected
from core.http.request.fields import now
from features.changes import api as changes
from features.webhooks import sql
from features.webhooks.delivery.signature import checked_secret, new_secret
from features.webhooks.errors import DeliveryNotFound, WebhookNotFound
from features.webhooks.queries import deliveries, registry
from features.webhooks.schemas import (
    CreateWebhook,
    Delivery,
    DeliveryQuery,
    Redelivered,
    UpdateWebhook,
    WebhookQuery,
)

BATCH: Final = 5_000
"""Deliveries that are deleted, or sent again, in one statement."""
BOTH_SIGN: Final = timedelta(hours=24)
"""Time for which a secret that was replaced still signs."""

_DELIVERIES: Final = "deliveries"

log = structlog.get_logger(__name__)


async def _page(db: Database, query: WebhookQuery, cursor: str | None, offset: int, size: int) -> Projected:
    after = None if cursor is None else decode_position(cursor, registry.SCOPE)
    return await registry.list_webhooks(db, after=after, offset=offset, size=size)


async def _total(db: Database, query: WebhookQuery) -> int:
    return await registry.count_webhooks(db)


LIST: Final = Listing(_page, _total)
"""Newest first."""


async def get_webhook(db: Database, webhook_id: str) -> Row:
    found = await registry.find_webhook(db, webhook_id)
    if found is None:
        raise WebhookNotFound(webhook_id)
    return found


async def create_webhook(
    db: AuthoredDatabase, actor: ActorName, features: Sequence[Feature], values: CreateWebhook
) -> tuple[str, Row]:
    """Create a webhook, which is told of what is committed from then on. Returns its id, and it with its
    secret. Raises InvalidFields for a kind of row that none of the features has, and SecretRefused.
    """
    changes.check_entity(features, values.entity)
    webhook_id = str(uuid4())
    stored = {
        **values.model_dump(),
        "id": webhook_id,
        "secret": new_secret() if values.secret is None else checked_secret(values.secret),
        "position": await changes.present(db),
        "created_by": actor.name,
        "created_at": now(),
    }
    return webhook_id, await retried(db, lambda tx: registry.create_webhook(tx, stored))


async def update_webhook(
    db: AuthoredDatabase,
    features: Sequence[Feature],
    webhook_id: str,
    values: UpdateWebhook,
    precondition: Precondition,
) -> Row:
    """Update the given fields. One that is turned on again goes on where it stopped. Raises InvalidFields for
    a kind of row that none of the features has; WebhookNotFound; WebhookChanged unless it is as the
    precondition says.
    """
    changes.check_entity(features, values.entity)
    given = values.model_dump(exclude_unset=True)
    return await retried(db, lambda tx: registry.update_webhook(tx, webhook_id, given, precondition))


async def delete_webhook(db: AuthoredDatabase, webhook_id: str, precondition: Precondition) -> Row:
    """Delete a webhook, with what waits for it, and return it. Raises WebhookNotFound and WebhookChanged."""
    return await retried(db, lambda tx: registry.delete_webhook(tx, webhook_id, precondition))


async def rotate_secret(db: AuthoredDatabase, webhook_id: str) -> Row:
    """Replace the secret by a new one, beside which the old one signs for BOTH_SIGN. Returns the webhook with
    it. Raises WebhookNotFound and WebhookChanged.
    """
    secret = new_secret()
    return await unit_of_work(db, lambda tx: registry.replace_secret(tx, webhook_id, secret))


async def list_deliveries(db: Database, webhook_id: str, query: DeliveryQuery) -> ListEnvelope[Delivery]:
    """Page of deliveries, those of the newest changes first. Raises WebhookNotFound."""
    check_start(query.cursor, query.offset)
    await get_webhook(db, webhook_id)
    scope = (_DELIVERIES, webhook_id)
    before = None if query.cursor is None else decode_place(scope, query.cursor, _position_of)[0]
    # One more than asked for tells whether there is a next page.
    found = await deliveries.find_deliveries(db, webhook_id, query, before=before, take=query.limit + 1)
    shown = found[: query.limit]
    cursor = encode_place(scope, shown[-1].position) if len(found) > len(shown) else None
    is_all = not query.offset and before is None and cursor is None
    total = len(shown) if is_all else await deliveries.count_deliveries(db, webhook_id, query)
    return listed(shown, total=total, next_cursor=cursor)


async def redeliver(db: Database, actor: ActorName, webhook_id: str, delivery_id: str) -> Delivery:
    """Make a delivery due once more, under the same id. Raises DeliveryNotFound."""
    await retried(db, lambda tx: deliveries.redeliver(tx, webhook_id, delivery_id))
    found = await deliveries.find_delivery(db, webhook_id, delivery_id)
    if found is None:
        raise DeliveryNotFound(delivery_id)
    log.info("webhooks.redelivered", webhook_id=webhook_id, delivery_id=delivery_id, actor=actor.name)
    return found


async def redeliver_dead(db: Database, actor: ActorName, webhook_id: str) -> Redelivered:
    """Make dead deliveries wait again, those of a row in their order. Raises WebhookNotFound."""
    await get_webhook(db, webhook_id)
    count = await unit_of_work(db, lambda tx: sql.revive(tx, webhook_id, most=BATCH))
    log.info("webhooks.redelivered_dead", webhook_id=webhook_id, count=count, actor=actor.name)
    return Redelivered(count=count, more=count == BATCH)


async def prune(db: Database, days: int) -> int:
    """Delete some of the deliveries that ended earlier, unless `days` is 0, and secrets that sign no more;
    returns how many deliveries.
    """
    await registry.forget_secrets(db, now() - BOTH_SIGN)
    before = now() - timedelta(days=days)
    return await retried(db, lambda tx: deliveries.delete_ended(tx, before, limit=BATCH)) if days else 0


def _position_of(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise ValueError
    return int(text)
