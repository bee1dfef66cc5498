"""Errors of webhooks, each with its permanent code."""

from core.errors import FieldError, Invalid, NotFound, PreconditionFailed


class WebhookNotFound(NotFound, code="webhooks.not_found"):
    def __init__(self, webhook_id: str) -> None:
        super().__init__(f"Webhook with id {webhook_id} not found")


class DeliveryNotFound(NotFound, code="webhooks.delivery_not_found"):
    def __init__(self, delivery_id: str) -> None:
        super().__init__(f"Delivery with id {delivery_id} not found")


class WebhookChanged(PreconditionFailed, code="webhooks.changed"):
    """The webhook is not in the state that its writer has seen."""

    def __init__(self, webhook_id: str) -> None:
        super().__init__(f"Webhook with id {webhook_id} was changed meanwhile: read it again")


class SecretRefused(Invalid, code="webhooks.secret_refused"):
    """The secret is none of the specification. It is not repeated."""

    def __init__(self) -> None:
        message = "must be whsec_ and the base64 of 24 to 64 random bytes; leave it out to have one made"
        super().__init__("Validation failed", details=[FieldError("secret", message)])
