"""Requests and responses of the audit trail, and its frozen values."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, JsonValue
from pydantic.alias_generators import to_camel

from core.http.answers.pagination import Cursor
from core.http.request.fields import LEFT_OUT_IF_NONE, Text, Timestamp
from core.http.request.input import Input

RETENTION_KIND: Final = "audit.retention"
RETENTION_ENTITY: Final = "audit"
"""Entity name of entries about the trail itself; their id is that of the job."""

COUNTED_AT_MOST: Final = 10_000
"""Upper bound of rows that a list counts or `offset` skips: beyond it the cost would not be constant."""

PAGE: Final = 50
MAX_PAGE: Final = 200

Action = Literal["created", "updated", "deleted", "imported", "checked"]


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """Entry of the trail: one change of one row.

    `changes` is `{field: {"before": ..., "after": ...}}` in the names and forms of the API; an import writes
    one entry per batch instead, under its job's id, with what it counted. `client` is the address that the
    request came from; `at` is None for what happens now.
    """

    entity: str
    entity_id: str
    action: Action
    actor: str
    request_id: str | None
    changes: Mapping[str, JsonValue]
    client: str | None = None
    at: datetime | None = None


_EXAMPLE: Final[dict[str, Any]] = {
    "id": "1042",
    "entity": "item",
    "entityId": "1f9b6598-6e08-4825-a686-638a5d6b0e4a",
    "action": "updated",
    "user": "ada",
    "at": "2025-10-24T08:12:00.000Z",
    "requestId": "0f1e2d3c-4b5a-4968-8776-655443322110",
    "client": "192.0.2.7",
    "changes": {"status": {"before": "new", "after": "review"}},
}


class AuditRecord(BaseModel):
    """A stored entry. What nobody's request caused has neither `requestId` nor `client`."""

    model_config = ConfigDict(
        frozen=True,
        alias_generator=to_camel,
        populate_by_name=True,
        json_schema_extra={"example": _EXAMPLE},
    )

    id: str
    entity: str
    entity_id: str
    action: Action
    user: str
    at: Timestamp
    request_id: str | None = Field(default=None, **LEFT_OUT_IF_NONE)
    client: str | None = Field(
        default=None, description="The address that the request came from", **LEFT_OUT_IF_NONE
    )
    taken_over: dict[str, JsonValue] | None = Field(
        default=None,
        description="Of an entry of the old service's log: its `id` there, and what has no field of its own",
        **LEFT_OUT_IF_NONE,
    )
    changes: dict[str, JsonValue] = Field(
        description='`{field: {"before": ..., "after": ...}}`; of bulk work, what it counted; of an entry '
        "that was taken over, what the old log said"
    )


class AuditQuery(Input):
    """Filter of entries: every condition that is present must hold. `cursor` costs the same at any depth."""

    model_config = ConfigDict(frozen=True)

    entity: Annotated[Text, Field(max_length=64)] | None = Field(
        default=None, description="Kind of row, such as item or system"
    )
    entity_id: Annotated[Text, Field(max_length=512)] | None = Field(default=None, description="The row's id")
    action: Action | None = Field(default=None, description="What was done to the row")
    actor: Annotated[Text, Field(max_length=128)] | None = Field(
        default=None, description="The `user` of the entries"
    )
    request_id: Annotated[Text, Field(max_length=128)] | None = Field(
        default=None, description="The `X-Request-Id` of the request that did it"
    )
    since: Timestamp | None = Field(default=None, description="Entries of this moment or later")
    until: Timestamp | None = Field(default=None, description="Entries before this moment")
    limit: int = Field(default=PAGE, ge=1, le=MAX_PAGE, description="How many entries at most")
    offset: Annotated[int, Field(ge=0, le=COUNTED_AT_MOST)] = Field(
        default=0, description="How many entries to skip; go further with `cursor`"
    )
    cursor: Cursor | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Keyset position: the last entry of the page before."""

    at: datetime
    id: int


class TraceKind(NamedTuple):
    """Query of recent entries: `label` is the field that says what a row is called."""

    label: str
    entity: str
    action: str


@dataclass(frozen=True, slots=True)
class Trace:
    """Summary of an entry: `fields` that changed, and the row's name as `label`, if the entry has it."""

    id: str
    entity: str
    entity_id: str
    action: Action
    user: str
    at: datetime
    fields: tuple[str, ...]
    label: str | None
