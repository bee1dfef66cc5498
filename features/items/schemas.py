"""Requests and responses of items, and the frozen values that pass between the slice's modules."""

from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from core.http.answers.pagination import Cursor, Limit, Offset
from core.http.bulk import Operations, operations_example
from core.http.request.fields import NotBlank, Text, Timestamp, Trimmed
from core.http.request.input import Input, Update

ID_LENGTH: Final = 512
TITLE_LENGTH: Final = 200
DESCRIPTION_LENGTH: Final = 1_048_576
# Longer ones would not fit into the index of tags.
TAG_LENGTH: Final = 200
TAGS_PER_ITEM: Final = 1000
SEARCH_LENGTH: Final = 200

Category = Literal[
    "documentacao", "coleta-dados", "banco-dados", "analise-dados", "gestao-riscos", "dashboard"
]
Priority = Literal["low", "medium", "high", "critical"]
Status = Literal["new", "review", "in-progress", "completed", "rejected"]


Title = Annotated[NotBlank, Field(max_length=TITLE_LENGTH)]
Description = Annotated[NotBlank, Field(max_length=DESCRIPTION_LENGTH)]
Tag = Annotated[Text, Field(max_length=TAG_LENGTH)]
Tags = Annotated[list[Tag], Field(max_length=TAGS_PER_ITEM)]

_EXAMPLE: Final[dict[str, Any]] = {
    "id": "1f9b6598-6e08-4825-a686-638a5d6b0e4a",
    "title": "Dark mode",
    "description": "A dark theme for the whole application",
    "category": "dashboard",
    "priority": "high",
    "status": "review",
    "tags": ["ui", "ux"],
    "createdAt": "2025-10-23T22:46:19.740Z",
    "updatedAt": "2025-10-24T08:12:00.000Z",
}


class Item(BaseModel):
    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, json_schema_extra={"example": _EXAMPLE}
    )

    id: str
    title: str
    description: str
    category: Category
    priority: Priority
    status: Status
    tags: list[str]
    created_at: Timestamp
    updated_at: Timestamp | None = Field(description="Null until the first update")


_NEW: Final = {key: _EXAMPLE[key] for key in ("title", "description", "category", "priority", "tags")}


class CreateItem(Input):
    """Whatever else the body holds is ignored; a new item's status is always `new`."""

    model_config = ConfigDict(json_schema_extra={"example": _NEW})

    title: Title
    description: Description
    category: Category
    priority: Priority
    tags: Tags = Field(default_factory=list)


class UpdateItem(Update):
    """Only the fields that are present change. Null is not a value of any of them, so it is refused.

    Every accepted update sets `updatedAt`, even an empty one: the service that this one replaces did so.
    """

    model_config = ConfigDict(json_schema_extra={"example": {"status": "in-progress", "tags": ["ui"]}})

    title: Title = ""
    description: Description = ""
    category: Category = "dashboard"
    priority: Priority = "medium"
    status: Status = "new"
    tags: Tags = Field(default_factory=list)


class ItemOperations(Operations[CreateItem, UpdateItem]):
    model_config = operations_example(_NEW, {"status": "review"})


class ItemFilter(Input):
    """Filter of items: every condition that is present must hold."""

    model_config = ConfigDict(frozen=True)

    status: Status | None = Field(default=None, description="Only items in this state")
    category: Category | None = Field(default=None, description="Only items of this category")
    priority: Priority | None = Field(default=None, description="Only items of this priority")
    tag: Annotated[Text, Field(max_length=TAG_LENGTH)] | None = Field(
        default=None, description="A tag that the item has, to the character"
    )
    q: Annotated[Trimmed, Field(max_length=SEARCH_LENGTH)] | None = Field(
        default=None,
        description="Words that title and description contain, with or without accents; a word may be cut "
        "short",
    )

    @property
    def kinds(self) -> dict[str, str]:
        """Values of status, category and priority that are asked for."""
        return self.model_dump(include={"status", "category", "priority"}, exclude_none=True)


class ItemQuery(ItemFilter):
    """Page of items; without `limit` the list is complete. `cursor` is steadier than `offset`."""

    limit: Limit | None = None
    offset: Offset = 0
    cursor: Cursor | None = None
