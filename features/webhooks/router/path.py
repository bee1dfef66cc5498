"""Router of webhooks, its prefix, and the id in its paths."""

from typing import Annotated, Final

from fastapi import Path

from core.http.request.fields import Text
from core.http.routing import Router

PREFIX: Final = "/api/v1/webhooks"

router = Router(prefix=PREFIX, tags=["Webhooks"])

WebhookId = Annotated[Text, Path(description="The id of the webhook")]
