"""Requests and responses of systems, and the frozen values that pass between the slice's modules."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, RootModel
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from core.http.answers.pagination import Offset, Scope, TextCursor
from core.http.request.fields import LEFT_OUT_IF_NONE, NotBlank, Text, Timestamp, Trimmed
from core.http.request.input import DIGITS_ALONE, Input, Update
from features.systems.metadata.json import JsonObject
from features.systems.outbound.url import fault_of_url

CHECK_ALL_KIND: Final = "systems.check_all"

ID_LENGTH: Final = 128
NAME_LENGTH: Final = 200
STORED_NAME_LENGTH: Final = 255
"""Upper bound of the old service and of the column."""
DESCRIPTION_LENGTH: Final = 1_048_576
URL_LENGTH: Final = 2048
WORD_LENGTH: Final = 200
TAGS_PER_SYSTEM: Final = 1000

Status = Literal["online", "degraded", "offline", "planned"]
CheckStatus = Literal["online", "offline", "error", "unknown"]
AnyStatus = Literal["online", "degraded", "offline", "planned", "error", "unknown"]
"""Statuses of both vocabularies: `error` is `degraded`, `unknown` was never checked."""
SystemType = Literal["api", "webapp", "docs", "tool"]
OrderBy = Literal["created_at", "updated_at", "name"]
OrderDirection = Literal["asc", "desc"]

_EXAMPLE: Final[dict[str, Any]] = {
    "id": "a1b2c3d4-e5f6-4890-abcd-ef1234567890",
    "name": "Service launcher",
    "description": "Starts and stops the services of the trading desk",
    "port": 3500,
    "status": "online",
    "category": "operations",
    "tags": ["core"],
    "type": "api",
    "url": "https://launcher.example/health",
    "createdAt": "2025-10-23T22:46:19.740Z",
}


def _none_if_empty(value: object) -> object:
    """None for an empty text: forms send one for a field that was not filled in."""
    return None if isinstance(value, str) and not value.strip() else value


def _fetchable(url: str) -> str:
    if (fault := fault_of_url(url)) is not None:
        raise PydanticCustomError("url", "{fault}", {"fault": fault})
    return url


_Word = Annotated[Trimmed, Field(max_length=WORD_LENGTH)]
_Url = Annotated[Trimmed, Field(max_length=URL_LENGTH), AfterValidator(_fetchable)]
_EMPTY: Final = BeforeValidator(_none_if_empty)

Name = Annotated[NotBlank, Field(max_length=NAME_LENGTH)]
Description = Annotated[NotBlank, Field(max_length=DESCRIPTION_LENGTH)]
Tags = Annotated[list[Annotated[Text, Field(max_length=WORD_LENGTH)]], Field(max_length=TAGS_PER_SYSTEM)]
Port = Annotated[int, Field(ge=1, le=65535), DIGITS_ALONE]
Word = Annotated[_Word | None, _EMPTY]
Url = Annotated[_Url | None, _EMPTY]


class System(BaseModel):
    """Fields without a value are left out."""

    model_config = ConfigDict(
        frozen=True,
        alias_generator=to_camel,
        populate_by_name=True,
        json_schema_extra={"example": _EXAMPLE},
    )

    id: str
    name: str
    description: str
    status: Status
    port: int | None = Field(default=None, **LEFT_OUT_IF_NONE)
    category: str | None = Field(default=None, **LEFT_OUT_IF_NONE)
    tags: list[str]
    type: SystemType | None = Field(default=None, **LEFT_OUT_IF_NONE)
    url: str | None = Field(default=None, **LEFT_OUT_IF_NONE)
    owner: str | None = Field(default=None, **LEFT_OUT_IF_NONE)
    version: str | None = Field(default=None, **LEFT_OUT_IF_NONE)
    metadata: dict[str, JsonValue] | None = Field(default=None, **LEFT_OUT_IF_NONE)
    icon: str | None = Field(default=None, **LEFT_OUT_IF_NONE)
    color: str | None = Field(default=None, **LEFT_OUT_IF_NONE)
    host: str | None = Field(default=None, **LEFT_OUT_IF_NONE)
    last_checked: Timestamp | None = Field(default=None, **LEFT_OUT_IF_NONE)
    response_time_ms: int | None = Field(default=None, **LEFT_OUT_IF_NONE)
    created_at: Timestamp
    updated_at: Timestamp | None = Field(default=None, **LEFT_OUT_IF_NONE)


class SystemArray(RootModel[list[System]]):
    """Published without an envelope."""


class _Optional(Input):
    """Optional fields of a system. Null, and for texts the empty text, mean no value.

    Unknown fields of a body are ignored; only a check sets `lastChecked` and `responseTimeMs`.
    """

    port: Port | None = None
    category: Word = None
    type: Annotated[SystemType | None, _EMPTY] = None
    url: Url = Field(default=None, description="What a health check fetches: http or https")
    owner: Word = None
    version: Word = None
    metadata: JsonObject | None = None
    icon: Word = None
    color: Word = None
    host: Word = None


class CreateSystem(_Optional):
    model_config = ConfigDict(
        json_schema_extra={
            "example": {key: value for key, value in _EXAMPLE.items() if key not in ("id", "createdAt")}
        }
    )

    name: Name
    description: Description
    status: Status
    tags: Tags = Field(default_factory=list)


class UpdateSystem(_Optional, Update):
    """Only the fields that are present change. Every accepted update sets `updatedAt`, an empty one too."""

    model_config = ConfigDict(json_schema_extra={"example": {"status": "degraded", "owner": "operations"}})

    name: Name = ""
    description: Description = ""
    status: Status = "online"
    tags: Tags = Field(default_factory=list)


SearchText = Annotated[
    Trimmed,
    Field(
        min_length=2,
        max_length=200,
        description="Words of name and description, in any form; the last one may be unfinished",
    ),
]
PageLimit = Annotated[int, Field(ge=1, le=100, description="How many systems at most")]


class SystemFilter(Input):
    """Filter of systems: every condition that is present must hold."""

    model_config = ConfigDict(frozen=True)

    status: AnyStatus | None = Field(
        default=None, description="`error` is `degraded`; `unknown` means never checked"
    )
    type: SystemType | None = Field(default=None, description="Only systems of this type")
    category: Text | None = Field(
        default=None, max_length=WORD_LENGTH, description="Only systems of this category"
    )
    owner: Text | None = Field(default=None, max_length=WORD_LENGTH, description="Only systems of this owner")
    tag: Annotated[Text, Field(max_length=WORD_LENGTH)] | None = Field(
        default=None, description="A tag that the system has, to the character"
    )
    search: SearchText | None = None


class SystemQuery(SystemFilter):
    """Page of systems; without `limit` the list is complete. `cursor` belongs to its order."""

    limit: PageLimit | None = None
    offset: Offset = 0
    cursor: TextCursor | None = None
    order_by: OrderBy = Field(
        default="created_at", description="`updated_at` of a system that was never updated is its creation"
    )
    order_direction: OrderDirection | None = Field(
        default=None, description="Times go from new to old and names from A to Z unless this says otherwise"
    )

    @property
    def direction(self) -> OrderDirection:
        return self.order_direction or ("asc" if self.order_by == "name" else "desc")

    @property
    def scope(self) -> Scope:
        return ("systems", self.order_by, self.direction)


class HealthCheckResult(BaseModel):
    """Result of one check. `responseTime` is in milliseconds, and absent when there was no answer."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True)

    system_id: str
    status: CheckStatus
    last_checked: Timestamp
    response_time: float | None = Field(default=None, **LEFT_OUT_IF_NONE)
    error: str | None = Field(default=None, examples=["Answered with status 503"], **LEFT_OUT_IF_NONE)


class CheckedSystems(BaseModel):
    """Progress of a check of all systems: those with ids up to `after` are done. `results` is None when there
    are too many of them to be kept.
    """

    model_config = ConfigDict(frozen=True)

    after: str = ""
    done: int = 0
    counts: dict[CheckStatus, int] = {"online": 0, "error": 0, "offline": 0, "unknown": 0}
    results: list[HealthCheckResult] | None = []

    def with_chunk(self, after: str, found: list[HealthCheckResult], *, keep: int) -> Self:
        counts = dict(self.counts)
        for result in found:
            counts[result.status] += 1
        results = None if self.results is None else [*self.results, *found]
        if results is not None and len(results) > keep:
            results = None
        return self.model_copy(
            update={
                "after": after,
                "done": self.done + len(found),
                "counts": counts,
                "results": results,
            }
        )


class StatusCounts(BaseModel):
    """`error` are the degraded ones. The four add up to the total."""

    model_config = ConfigDict(frozen=True)

    online: int
    offline: int
    error: int
    planned: int


class TypeCounts(BaseModel):
    """Systems without a type are in none of them."""

    model_config = ConfigDict(frozen=True)

    api: int
    webapp: int
    docs: int
    tool: int


class SystemsStats(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True)

    total: int
    by_status: StatusCounts
    by_type: TypeCounts
    last_checked: Timestamp | None = Field(
        default=None, description="When any system was last checked", **LEFT_OUT_IF_NONE
    )


@dataclass(frozen=True, slots=True)
class StoredSystem:
    """System with its row's version, from which its ETag is made."""

    system: System
    row_version: int


@dataclass(frozen=True, slots=True)
class CheckTarget:
    """Id and URL of a system to be checked."""

    id: str
    url: str | None


@dataclass(frozen=True, slots=True)
class Finding:
    """Result of a check in the form in which it is stored."""

    status: Status
    checked_at: datetime
    response_time_ms: int | None
