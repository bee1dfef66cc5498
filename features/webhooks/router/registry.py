"""Routes of webhooks and their secrets."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Header, Query, Request, Response, status

from core.cache import Entry
from core.deps import Actor, AuthoredDb, Cache, Db, Features, IfMatch, platform_of
from core.errors import Invalid, PreconditionFailed, TooLarge, Unavailable, UnsupportedMediaType
from core.http.answers.conditional import cached_response
from core.http.answers.envelope import Done, Envelope, ListEnvelope, Row, done, error_responses
from features.webhooks import service
from features.webhooks.cache import LIST, WEBHOOK
from features.webhooks.errors import SecretRefused, WebhookChanged, WebhookNotFound
from features.webhooks.jobs import Supervisor
from features.webhooks.router.path import PREFIX, WebhookId, router
from features.webhooks.schemas import (
    CreateWebhook,
    Payload,
    UpdateWebhook,
    Webhook,
    WebhookQuery,
    WebhookSecret,
)

REFUSED_BODY: Final = (Invalid, TooLarge, UnsupportedMediaType)
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
    db: AuthoredDb, actor: Actor, supervisor: Supervised, features: Features, values: CreateWebhook
) -> Response:
    webhook_id, created = await service.create_webhook(db, actor, features, values)
    supervisor.begin()
    place = {"Location": f"{PREFIX}/{webhook_id}"}
    return _once("Webhook created successfully", created, status.HTTP_201_CREATED, place)


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
    db: AuthoredDb,
    supervisor: Supervised,
    features: Features,
    webhook_id: WebhookId,
    if_match: IfMatch,
    values: UpdateWebhook,
) -> Response:
    updated = await service.update_webhook(db, features, webhook_id, values, if_match)
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


def _once(
    message: str, row: Row, code: int = status.HTTP_200_OK, headers: dict[str, str] | None = None
) -> Response:
    """Response with a secret: kept by nobody, for an `Idempotency-Key` neither."""
    return done(message, row, code, {"Cache-Control": "no-store", **(headers or {})})
