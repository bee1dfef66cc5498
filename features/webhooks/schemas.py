"""Requests and responses of webhooks, and the frozen values that pass between the slice's modules."""

from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from core.http.answers.pagination import Cursor, Limit, Offset
from core.http.request.fields import LEFT_OUT_IF_NONE, Text, Timestamp, Trimmed, without_default
from core.http.request.input import Input
from features.changes.api import Action, Change, Entity
from features.systems.api import URL_LENGTH, fault_of_url

State = Literal["waiting", "delivered", "dead"]

_CAMEL: Final = ConfigDict(alias_generator=to_camel, populate_by_name=True)
_EXAMPLE: Final[dict[str, Any]] = {
    "url": "https://board.example/hooks/handover",
    "entity": "item",
    "action": "updated",
    "description": "Moves cards on the board",
}


def _sendable(url: str) -> str:
    if (fault := fault_of_url(url)) is not None:
        raise PydanticCustomError("url", "{fault}", {"fault": fault})
    return url


Url = Annotated[Trimmed, Field(max_length=URL_LENGTH), AfterValidator(_sendable)]
EntityId = Annotated[Text, Field(max_length=512)]
Description = Annotated[Trimmed, Field(max_length=1000)]


class Webhook(BaseModel):
    """Webhook without its secret. A condition that is absent is none."""

    model_config = _CAMEL

    id: str
    url: str
    entity: str | None = Field(default=None, **LEFT_OUT_IF_NONE)
    entity_id: str | None = Field(default=None, **LEFT_OUT_IF_NONE)
    action: Action | None = Field(default=None, **LEFT_OUT_IF_NONE)
    description: str
    active: bool
    notice: str | None = Field(
        default=None,
        description="What an administrator should know: why it was turned off, or which changes were "
        "forgotten before they could be told. The next update takes it away",
        **LEFT_OUT_IF_NONE,
    )
    rotated_at: Timestamp | None = Field(
        default=None, description="When its secret was replaced", **LEFT_OUT_IF_NONE
    )
    created_by: str
    created_at: Timestamp
    updated_at: Timestamp | None = Field(default=None, **LEFT_OUT_IF_NONE)


class WebhookSecret(Webhook):
    secret: str = Field(description="Shown this once: signatures are verified with it")


class CreateWebhook(Input):
    """The conditions are those of `/api/v1/changes`; without any it is told of every change."""

    model_config = ConfigDict(alias_generator=to_camel, json_schema_extra={"example": _EXAMPLE})

    url: Url
    entity: Entity | None = None
    entity_id: EntityId | None = None
    action: Action | None = None
    description: Description = ""
    active: bool = True
    secret: str | None = Field(
        default=None, description="`whsec_` and the base64 of 24 to 64 random bytes; absent: one is made"
    )


class UpdateWebhook(Input):
    """Only the fields that are present change; null takes a condition away."""

    model_config = ConfigDict(alias_generator=to_camel, json_schema_extra={"example": {"active": False}})

    url: Url = Field(default="", json_schema_extra=without_default)
    entity: Entity | None = None
    entity_id: EntityId | None = None
    action: Action | None = None
    description: Description = Field(default="", json_schema_extra=without_default)
    active: bool = Field(default=True, json_schema_extra=without_default)


class WebhookQuery(Input):
    """Page of webhooks; without `limit` the list is complete."""

    model_config = ConfigDict(frozen=True)

    limit: Limit | None = None
    offset: Offset = 0
    cursor: Cursor | None = None


class Delivery(BaseModel):
    """Delivery of one change. `attempts` are those that have ended, since it was last asked for by hand."""

    model_config = _CAMEL

    id: str = Field(description="The `webhook-id` of each attempt")
    position: str = Field(description="The position of the change")
    type: str = Field(examples=["item.updated"])
    entity: str
    entity_id: str
    state: State
    attempts: int
    last_status: int | None = Field(default=None, description="Of the last answer", **LEFT_OUT_IF_NONE)
    last_error: str | None = Field(default=None, **LEFT_OUT_IF_NONE)
    last_attempt_at: Timestamp | None = Field(default=None, **LEFT_OUT_IF_NONE)
    next_attempt_at: Timestamp | None = Field(
        default=None,
        description="Absent while an earlier delivery of the same row waits",
        **LEFT_OUT_IF_NONE,
    )
    created_at: Timestamp
    ended_at: Timestamp | None = Field(default=None, **LEFT_OUT_IF_NONE)


class DeliveryQuery(Input):
    model_config = ConfigDict(frozen=True)

    state: State | None = Field(default=None, description="Only deliveries in this state")
    limit: Limit = 50
    offset: Offset = 0
    cursor: Cursor | None = None


class WebhookHealth(BaseModel):
    """State of the deliveries of one webhook. The last three are absent while none of those that wait has
    failed.
    """

    model_config = _CAMEL

    webhook_id: str
    waiting: int = Field(description="Deliveries that wait: for their turn, or to be tried again")
    dead: int = Field(description="Deliveries that were given up and are kept")
    failing_since: Timestamp | None = Field(
        default=None, description="The first attempt of the oldest that waits", **LEFT_OUT_IF_NONE
    )
    next_attempt_at: Timestamp | None = Field(default=None, **LEFT_OUT_IF_NONE)
    last_error: str | None = Field(default=None, **LEFT_OUT_IF_NONE)


class Redelivered(BaseModel):
    count: int = Field(description="Dead deliveries that are sent again")
    more: bool = Field(description="There may be more: ask again")


class Payload(BaseModel):
    """Body of a delivery. `timestamp` is the moment of the change."""

    type: str = Field(examples=["item.updated"])
    timestamp: Timestamp
    data: Change


@dataclass(frozen=True, slots=True)
class Moved:
    """Webhook whose position was moved on, and its position before."""

    id: str
    was: int
    entity: str | None
    entity_id: str | None
    action: Action | None


@dataclass(frozen=True, slots=True)
class NewDelivery:
    id: str
    webhook_id: str
    position: int
    type: str
    entity: str
    entity_id: str
    body: str


@dataclass(frozen=True, slots=True)
class Due:
    """Delivery that is due, and where it goes. `previous_secret` signs too, if there is one."""

    id: str
    webhook_id: str
    body: str
    attempts: int
    url: str
    secret: str = field(repr=False)
    previous_secret: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Outcome:
    """End of an attempt. `status` is None without an answer; `delay_s` is the time to the next one."""

    id: str
    webhook_id: str
    delivered: bool
    status: int | None
    error: str | None
    delay_s: float
