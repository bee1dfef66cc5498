"""Requests and responses about changes, and their frozen values."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, Final, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema
from pydantic.alias_generators import to_camel

from core.feature import Feature, open_entities
from core.http.request.access import Principal
from core.http.request.fields import LEFT_OUT_IF_NONE, Text, Timestamp, always_there
from core.http.request.input import Input

STREAM: Final = "/api/v1/changes/events"
MAX_PAGE: Final = 500
MAX_POSITION: Final = 2**53 - 1
"""Upper bound of positions: JavaScript has no larger whole numbers."""

Action = Literal["created", "updated", "deleted", "imported", "checked"]
Entity = Annotated[Text, Field(json_schema_extra={"x-values": "Entity"})]
Position = Annotated[
    int,
    Field(ge=0, le=MAX_POSITION),
    WithJsonSchema({"type": "string", "pattern": "^[0-9]{1,16}$", "examples": ["1795882115191871"]}),
]
"""As text in the document: clients give back what they were given."""

_EXAMPLE: Final[dict[str, Any]] = {
    "position": "1795882115191871",
    "at": "2026-11-28T18:48:35.191Z",
    "entity": "item",
    "entityId": "1f9b6598-6e08-4825-a686-638a5d6b0e4a",
    "action": "updated",
    "fields": ["status"],
}


class Change(BaseModel):
    """A committed change of one row; of an import, that of one batch, under the job's id."""

    model_config = ConfigDict(
        frozen=True,
        alias_generator=to_camel,
        populate_by_name=True,
        json_schema_extra={"example": _EXAMPLE},
    )

    position: str = Field(description="Its place in the order of all changes; go on after it")
    at: Timestamp
    entity: str
    entity_id: str
    action: Action
    fields: list[str] = Field(description="Names of the fields that changed")
    user: str | None = Field(
        default=None, description="Who did it, for those who may read the audit trail", **LEFT_OUT_IF_NONE
    )


class ChangePage(BaseModel):
    """Page of changes, the oldest first. `next` is the `after` of the next request; with `hasMore` there is
    more already.
    """

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, json_schema_extra=always_there("success")
    )

    success: Literal[True] = True
    count: int
    next: str
    has_more: bool
    data: list[Change]


class ChangeFilter(Input):
    """Filter of changes: every condition that is present must hold. `after` is a position that was told."""

    model_config = ConfigDict(frozen=True)

    entity: Entity | None = Field(default=None, description="Kind of row")
    entity_id: Annotated[Text, Field(max_length=512)] | None = Field(default=None, description="The row's id")
    action: Action | None = Field(default=None, description="What was done to the row")
    after: Position | None = Field(default=None, description="Only changes after this position")


class ChangeQuery(ChangeFilter):
    limit: int = Field(default=100, ge=1, le=MAX_PAGE, description="How many changes at most")


@dataclass(frozen=True, slots=True)
class Audience:
    """Audience of changes: those for everybody and for `name`, and all of the `entities`; None sees all, and
    who did it.
    """

    name: str | None = None
    entities: frozenset[str] = frozenset()

    @classmethod
    def of(cls, holder: Principal | None, features: Sequence[Feature]) -> "Audience":
        """Audience of a caller. With AUTH=off everybody may read the audit trail."""
        if holder is None or holder.may("admin"):
            return cls()
        return cls(holder.name, open_entities(features))


class Extent(NamedTuple):
    """Extent of the log: the newest position that was given, and the one after which all events are kept."""

    newest: int
    kept_from: int

    @property
    def present(self) -> int:
        """Position before all that is numbered from now on, and after all that was before."""
        return max(self)

    def lacks(self, position: int) -> bool:
        """True if events after the position may have been deleted: not if there was none after it."""
        return position < min(self)


@dataclass(frozen=True)
class Event:
    """Stored change. `audience` is None for everybody, a holder's name, or empty for administrators only."""

    position: int
    change: Change
    audience: str | None

    @cached_property
    def _full(self) -> str:
        return self.change.model_dump_json(by_alias=True)

    @cached_property
    def _anonymous(self) -> str:
        return self.shown(Audience("")).model_dump_json(by_alias=True)

    def seen_by(self, audience: Audience, wanted: ChangeFilter) -> bool:
        change = self.change
        return (
            (
                audience.name is None
                or self.audience is None
                or self.audience == audience.name != ""
                or change.entity in audience.entities
            )
            and wanted.entity in (None, change.entity)
            and wanted.entity_id in (None, change.entity_id)
            and wanted.action in (None, change.action)
        )

    def shown(self, audience: Audience) -> Change:
        return self.change if audience.name is None else self.change.model_copy(update={"user": None})

    def json_for(self, audience: Audience) -> str:
        """JSON of the change, made once for all streams."""
        return self._full if audience.name is None else self._anonymous
