"""Routes under `/api/v1/webhooks`: webhooks, their secrets, and the log of their deliveries."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response, status

from core.cache import Entry
from core.deps import Actor, AuthoredDb, Cache, Db, IfMatch, platform_of
from core.errors import Invalid, PreconditionFailed, TooLarge, Unavailable, UnsupportedMediaType
from core.http.answers.conditional import cached_response
from core.http.answers.envelope import Done, Envelope, ListEnvelope, Row, done, error_responses, listed
from core.http.request.fields import Text
from core.http.routing import STRICT, Router
from features.webhooks import service, sql
from features.webhooks.cache import LIST, WEBHOOK
from features.webhooks.errors import DeliveryNotFound, SecretRefused, WebhookChanged, WebhookNotFound
from features.webhooks.jobs import Supervisor
from features.webhooks.schemas import (
    CreateWebhook,
    Delivery,
    DeliveryQuery,
    Payload,
    Redelivered,
    UpdateWebhook,
    Webhook,
    WebhookHealth,
    WebhookQuery,
    WebhookSecret,
)

PREFIX: Final = "/api/v1/webhooks"
REFUSED_BODY: Final = (Invalid, TooLarge, UnsupportedMediaType)
WebhookId = Annotated[Text, Path(description="The id of the webhook")]
DeliveryId = Annotated[Text, Path(description="The id of the delivery")]

router = Router(prefix=PREFIX, tags=["Webhooks"])
_callbacks = APIRouter()
_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    "2XX": {"description": "Delivered"},
    "410": {"description": "No longer wanted: the webhook is turned off"},
    "4XX": {"description": "Failed: sent again later, as after any other answer, or none"},
}


async def _supervisor(request: Request) -> Supervisor:
    return platform_of(request).part(Supervisor)


Supervised = Annotated[Supervisor, Depends(_supervisor)]


@_callbacks.post(
    "{$request.body#/url}", summary="A change", status_code=status.HTTP_204_NO_CONTENT, responses=_ANSWERS
)
async def receive_change(
    payload: Payload,
    webhook_id: Annotated[str, Header(description="The same in each attempt")],
    webhook_timestamp: Annotated[int, Header(description="Unix seconds of the attempt")],
    webhook_signature: Annotated[str, Header(description="`v1,` and base64; more than one between blanks")],
) -> None:
    """Delivery to a webhook, as the Standard Webhooks specification has it."""


@router.get(
    "",
    summary="List webhooks",
    description="Newest first; without `limit` all of them. Secrets are not shown.",
    response_model=ListEnvelope[Webhook],
    responses=error_responses(Invalid, Unavailable),
)
async def list_webhooks(
    request: Request, db: Db, cache: Cache, query: Annotated[WebhookQuery, Query()]
) -> Response:
    return await service.LIST.answer(request, db, cache, LIST, query, query.limit)


@router.post(
    "",
    summary="Create webhook",
    description="It is told of what is committed from then on. The answer holds the secret, this once.",
    status_code=status.HTTP_201_CREATED,
    response_model=Done[WebhookSecret],
    responses=error_responses(*REFUSED_BODY, SecretRefused, Unavailable),
    callbacks=_callbacks.routes,
)
async def create_webhook(
    db: AuthoredDb, actor: Actor, supervisor: Supervised, values: CreateWebhook
) -> Response:
    webhook_id, created = await service.create_webhook(db, actor, values)
    supervisor.begin()
    place = {"Location": f"{PREFIX}/{webhook_id}"}
    return _once("Webhook created successfully", created, status.HTTP_201_CREATED, place)


@router.get("/health", summary="How deliveries fare", responses=error_responses(Unavailable))
async def list_webhook_health(db: Db) -> ListEnvelope[WebhookHealth]:
    """Of webhooks for which deliveries wait or are dead; all is delivered for the others."""
    found = await sql.health(db)
    return listed(found, total=len(found))


@router.get(
    "/{webhook_id}",
    summary="Get webhook",
    response_model=Envelope[Webhook],
    responses=error_responses(WebhookNotFound, Unavailable),
)
async def get_webhook(request: Request, db: Db, cache: Cache, webhook_id: WebhookId) -> Response:
    """Without its secret. The `ETag` is what `If-Match` of an update or a deletion takes."""

    async def load() -> Entry:
        return (await service.get_webhook(db, webhook_id)).entry()

    return await cached_response(request, cache, WEBHOOK, webhook_id, load)


@router.put(
    "/{webhook_id}",
    summary="Update webhook",
    description="Changes the fields that are sent. One that is turned on again goes on where it stopped.",
    response_model=Done[Webhook],
    responses=error_responses(*REFUSED_BODY, WebhookNotFound, WebhookChanged, Unavailable),
)
async def update_webhook(
    db: AuthoredDb, supervisor: Supervised, webhook_id: WebhookId, if_match: IfMatch, values: UpdateWebhook
) -> Response:
    updated = await service.update_webhook(db, webhook_id, values, if_match)
    supervisor.begin()
    return done("Webhook updated successfully", updated)


@router.delete(
    "/{webhook_id}",
    summary="Delete webhook",
    response_model=Done[Webhook],
    responses=error_responses(WebhookNotFound, PreconditionFailed, Unavailable),
)
async def delete_webhook(db: AuthoredDb, webhook_id: WebhookId, if_match: IfMatch) -> Response:
    """With its deliveries, those that wait too. The answer holds it as it was."""
    deleted = await service.delete_webhook(db, webhook_id, if_match)
    return done("Webhook deleted successfully", deleted)


@router.post(
    "/{webhook_id}/rotate-secret",
    summary="Replace the secret",
    description="The answer holds the new secret, this once. For 24 hours the old one signs too: deliveries "
    "have two signatures.",
    response_model=Done[WebhookSecret],
    responses=error_responses(WebhookNotFound, WebhookChanged, Unavailable),
)
async def rotate_webhook_secret(db: AuthoredDb, webhook_id: WebhookId) -> Response:
    return _once("Secret replaced successfully", await service.rotate_secret(db, webhook_id))


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


def _once(
    message: str, row: Row, code: int = status.HTTP_200_OK, headers: dict[str, str] | None = None
) -> Response:
    """Response with a secret: kept by nobody, for an `Idempotency-Key` neither."""
    return done(message, row, code, {"Cache-Control": "no-store", **(headers or {})})
