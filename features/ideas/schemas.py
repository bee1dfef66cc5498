"""Requests and responses of ideas, and the frozen values that pass between the slice's modules."""

from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

from core.http.answers.pagination import Offset, Scope, TextCursor
from core.http.bulk import Operations, operations_example
from core.http.request.fields import (
    LEFT_OUT_IF_NONE,
    EmptyIfNone,
    Measure,
    NotBlank,
    Text,
    Timestamp,
    Trimmed,
)
from core.http.request.input import Input, Update

ID_LENGTH: Final = 128
TITLE_LENGTH: Final = 200
DESCRIPTION_LENGTH: Final = 1_048_576
PERSON_LENGTH: Final = 200
TAG_LENGTH: Final = 200
TAGS_PER_IDEA: Final = 1000
MAX_PAGE: Final = 100
PAGE: Final = 20
"""Size of a page when `offset` or `cursor` is given without `limit`."""

Status = Literal["new", "triage", "in_progress", "review", "completed", "rejected"]
Category = Literal["api", "docs", "dashboard", "automation", "infrastructure"]
Priority = Literal["low", "medium", "high", "critical"]
OrderBy = Literal["created_at", "updated_at", "title", "priority", "status", "due_date"]
Direction = Literal["asc", "desc"]

Title = Annotated[NotBlank, Field(max_length=TITLE_LENGTH)]
Description = Annotated[NotBlank, Field(max_length=DESCRIPTION_LENGTH)]
Tags = Annotated[list[Annotated[Text, Field(max_length=TAG_LENGTH)]], Field(max_length=TAGS_PER_IDEA)]
SystemId = Annotated[Text, Field(max_length=ID_LENGTH, description="A system that exists")]
Person = Annotated[NotBlank, Field(max_length=PERSON_LENGTH)]
EstimatedHours = Annotated[float, Field(strict=True, ge=1, le=1000, allow_inf_nan=False)]
ActualHours = Annotated[float, Field(strict=True, ge=0, le=10_000, allow_inf_nan=False)]

_EXAMPLE: Final[dict[str, Any]] = {
    "id": "6ff3a1c2-0d0b-4b0e-9a51-6f0d7a3b8f11",
    "title": "Document the pagination of every list",
    "description": "One page that shows limit, offset and cursor with examples",
    "category": "docs",
    "priority": "high",
    "status": "in_progress",
    "tags": ["api", "guide"],
    "systemId": "0b6e2f9c-7a52-4a3e-8f5e-6f1f6f0d9c55",
    "system": {"id": "0b6e2f9c-7a52-4a3e-8f5e-6f1f6f0d9c55", "name": "Orders API"},
    "assignedTo": "docs-team",
    "createdBy": "platform-team",
    "estimatedHours": 12,
    "dueDate": "2025-11-30T00:00:00.000Z",
    "createdAt": "2025-10-23T22:46:19.740Z",
    "updatedAt": "2025-10-24T08:12:00.000Z",
}


def _example(*fields: str) -> ConfigDict:
    return ConfigDict(
        alias_generator=to_camel, json_schema_extra={"example": {field: _EXAMPLE[field] for field in fields}}
    )


class SystemLink(BaseModel):
    """The system that an idea belongs to."""

    id: str
    name: str


class Idea(BaseModel):
    """A field without a value is left out."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, json_schema_extra={"example": _EXAMPLE}
    )

    id: str
    title: str
    description: EmptyIfNone
    category: Category
    priority: Priority
    status: Status
    tags: list[str]
    system_id: str | None = Field(default=None, **LEFT_OUT_IF_NONE)
    system: SystemLink | None = Field(default=None, **LEFT_OUT_IF_NONE)
    assigned_to: str | None = Field(default=None, **LEFT_OUT_IF_NONE)
    created_by: str | None = Field(default=None, **LEFT_OUT_IF_NONE)
    estimated_hours: Measure | None = Field(default=None, **LEFT_OUT_IF_NONE)
    actual_hours: Measure | None = Field(default=None, **LEFT_OUT_IF_NONE)
    due_date: Timestamp | None = Field(default=None, **LEFT_OUT_IF_NONE)
    completed_at: Timestamp | None = Field(
        default=None, description="Present while the status is `completed`", **LEFT_OUT_IF_NONE
    )
    created_at: Timestamp
    updated_at: Timestamp | None = Field(
        default=None, description="Absent until the first update", **LEFT_OUT_IF_NONE
    )


class Kanban(BaseModel):
    """Every idea, by status; newest first in each list."""

    new: list[Idea]
    triage: list[Idea]
    in_progress: list[Idea]
    review: list[Idea]
    completed: list[Idea]
    rejected: list[Idea]


class CreateIdea(Input):
    """Whatever else the body holds is ignored."""

    model_config = _example("title", "description", "category", "priority", "tags", "systemId", "dueDate")

    title: Title
    description: Description
    category: Category
    priority: Priority
    status: Status = "new"
    tags: Tags = Field(default_factory=list)
    system_id: SystemId | None = None
    assigned_to: Person | None = None
    created_by: Person | None = Field(
        default=None,
        description="`x-user-id` when absent; with `AUTH=keys` the name of the key comes before it",
    )
    estimated_hours: EstimatedHours | None = None
    actual_hours: ActualHours | None = None
    due_date: Timestamp | None = None


class UpdateIdea(Update):
    """Only the fields that are present change. Null empties those that may be empty; the others refuse it.

    Every accepted update sets `updatedAt`, even an empty one.
    """

    model_config = _example("status", "tags", "assignedTo")

    title: Title = ""
    description: Description = ""
    category: Category = "docs"
    priority: Priority = "medium"
    status: Status = "new"
    tags: Tags = Field(default_factory=list)
    system_id: SystemId | None = None
    assigned_to: Person | None = None
    estimated_hours: EstimatedHours | None = None
    actual_hours: ActualHours | None = None
    due_date: Timestamp | None = None


class IdeaOperations(Operations[CreateIdea, UpdateIdea]):
    model_config = operations_example(
        {name: _EXAMPLE[name] for name in ("title", "description", "category", "priority")},
        {"status": "review", "assignedTo": None},
    )


class IdeaFilter(Input):
    """Filter of ideas: every condition that is present must hold."""

    model_config = ConfigDict(frozen=True)

    status: Status | None = Field(default=None, description="Only ideas in this state")
    category: Category | None = Field(default=None, description="Only ideas of this category")
    priority: Priority | None = Field(default=None, description="Only ideas of this priority")
    system_id: Text | None = Field(
        default=None, max_length=ID_LENGTH, description="Only ideas of the system with this id"
    )
    assigned_to: Text | None = Field(
        default=None, max_length=PERSON_LENGTH, description="Only ideas of this person, to the character"
    )
    search: Annotated[Trimmed, Field(min_length=2, max_length=100)] | None = Field(
        default=None,
        description="Words that title and description contain, with or without accents; the last one may be "
        "cut short",
    )

    @property
    def kinds(self) -> dict[str, str]:
        """Values of status, category and priority that are asked for."""
        return self.model_dump(include={"status", "category", "priority"}, exclude_none=True)

    @property
    def links(self) -> dict[str, str]:
        """Values of system and person that are asked for."""
        return self.model_dump(include={"system_id", "assigned_to"}, exclude_none=True)


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


class IdeaQuery(IdeaFilter):
    """Page of ideas. Without `limit`, `offset` and `cursor` the list is complete. `cursor` is steadier and
    quicker than `offset`; it belongs to its page's order.
    """

    limit: Annotated[int, Field(ge=1, le=MAX_PAGE)] | None = Field(
        default=None, description=f"How many ideas at most; {PAGE} when only `offset` or `cursor` is given"
    )
    offset: Offset | None = None
    cursor: TextCursor | None = None
    order_by: OrderBy = Field(
        default="created_at",
        description="`updated_at` takes the creation for an idea that was never updated; `title` goes by "
        "letters, `priority` and `status` by rank; ideas without a due date come last either way",
    )
    order_direction: Annotated[Direction, BeforeValidator(_lower)] | None = Field(
        default=None,
        description="Without it the newest, the first letters and ranks of work, the most urgent and the "
        "soonest due come first",
    )

    @property
    def direction(self) -> Direction:
        return self.order_direction or ("asc" if self.order_by in ("title", "status", "due_date") else "desc")

    @property
    def scope(self) -> Scope:
        return ("ideas", self.order_by, self.direction)

    @property
    def take(self) -> int | None:
        """Size of the page, or None for everything."""
        paged = self.limit is not None or self.offset is not None or self.cursor is not None
        return self.limit or PAGE if paged else None


class IdeaStatusCounts(BaseModel):
    new: int = 0
    triage: int = 0
    in_progress: int = 0
    review: int = 0
    completed: int = 0
    rejected: int = 0


class IdeaPriorityCounts(BaseModel):
    low: int = 0
    medium: int = 0
    high: int = 0
    critical: int = 0


class IdeaCategoryCounts(BaseModel):
    api: int = 0
    docs: int = 0
    dashboard: int = 0
    automation: int = 0
    infrastructure: int = 0


class IdeasStats(BaseModel):
    """Each of the three breakdowns adds up to the total."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)

    total: int
    by_status: IdeaStatusCounts
    by_priority: IdeaPriorityCounts
    by_category: IdeaCategoryCounts
