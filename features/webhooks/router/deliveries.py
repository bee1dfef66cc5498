"""Routes of deliveries: how they fare, the log of one webhook's, and sending them again."""

from typing import Annotated

from fastapi import Path, Query

from core.deps import Actor, Db
from core.errors import Invalid, Unavailable
from core.http.answers.envelope import Done, ListEnvelope, error_responses, listed
from core.http.request.fields import Text
from core.http.routing import STRICT
from features.webhooks import service, sql
from features.webhooks.errors import DeliveryNotFound, WebhookNotFound
from features.webhooks.router.path import WebhookId, router
from features.webhooks.schemas import Delivery, DeliveryQuery, Redelivered, WebhookHealth

DeliveryId = Annotated[Text, Path(description="The id of the delivery")]


@router.get("/health", summary="How deliveries fare", responses=error_responses(Unavailable))
async def list_webhook_health(db: Db) -> ListEnvelope[WebhookHealth]:
    """Of webhooks for which deliveries wait or are dead; all is delivered for the others."""
    found = await sql.health(db)
    return listed(found, total=len(found))


@router.get(
    "/{webhook_id}/deliveries",
    summary="List deliveries",
    responses=error_responses(Invalid, WebhookNotFound, Unavailable),
)
async def list_webhook_deliveries(
    db: Db, webhook_id: WebhookId, query: Annotated[DeliveryQuery, Query()]
) -> ListEnvelope[Delivery]:
    """Deliveries of the newest changes first. They are kept for `WEBHOOK_RETENTION_DAYS` after their end."""
    return await service.list_deliveries(db, webhook_id, query)


@router.post(
    "/{webhook_id}/deliveries/{delivery_id}/redeliver",
    dependencies=STRICT,
    summary="Deliver again",
    responses=error_responses(DeliveryNotFound, Unavailable),
)
async def redeliver(db: Db, actor: Actor, webhook_id: WebhookId, delivery_id: DeliveryId) -> Done[Delivery]:
    """At once, whether it was delivered, waits or is dead, also past later changes of its row; then with the
    usual retries.
    """
    waiting = await service.redeliver(db, actor, webhook_id, delivery_id)
    return Done[Delivery](message="Delivery is sent again", data=waiting)


@router.post(
    "/{webhook_id}/redeliver-dead",
    dependencies=STRICT,
    summary="Deliver the dead again",
    responses=error_responses(WebhookNotFound, Unavailable),
)
async def redeliver_dead(db: Db, actor: Actor, webhook_id: WebhookId) -> Done[Redelivered]:
    """All that ended as dead letters, as after a receiver's outage: those of a row in their order, the oldest
    rows first.
    """
    again = await service.redeliver_dead(db, actor, webhook_id)
    return Done[Redelivered](message="Dead deliveries are sent again", data=again)
