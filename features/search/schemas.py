"""Requests and responses of the search, and the frozen values that pass between the slice's modules."""

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Final, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from core.http.answers.pagination import CappedLimit
from core.http.request.fields import NotBlank, Timestamp, always_there
from core.http.request.input import Input

RowKind = Literal["idea", "item"]
"""Rows of other slices, which are found only where they are asked for: old clients know none of them."""
DocumentType = Literal["endpoint", "guide", "adr", "template", "diagram", "idea", "item"]
Source = Literal["openapi", "asyncapi", "markdown", "upload", "idea", "item"]

REINDEX_KIND: Final = "search.reindex"
TITLE_LENGTH: Final = 300
BODY_LENGTH: Final = 100_000
"""Upper bound of a document's searched text, in characters."""

_ABOUT_Q: Final = (
    "Words that must all occur, in any order; the last may be unfinished. Accents and endings do not matter. "
    "The first 1,000 characters count."
)


_ABOUT_ROWS: Final = "Without a type all but ideas and items; these are found where they are asked for"


def row_kind(word: str | None) -> RowKind | None:
    return next((kind for kind in get_args(RowKind) if kind == word), None)


class SearchQuery(Input):
    q: NotBlank = Field(description=_ABOUT_Q, examples=["instalação"])
    type: DocumentType | None = Field(default=None, description=_ABOUT_ROWS)
    source: Source | None = Field(default=None, description="Only documents from this source")
    limit: CappedLimit = 10

    @property
    def rows(self) -> RowKind | None:
        """Rows that are asked for; None: documents."""
        return row_kind(self.type) or row_kind(self.source)


class SuggestQuery(Input):
    q: NotBlank = Field(description="The beginning of what somebody types", examples=["inst"])
    limit: CappedLimit = 5


class SearchResult(BaseModel):
    """Best first. `title` is plain text, `snippet` is HTML."""

    id: str
    title: str
    snippet: str = Field(
        description="HTML: the passage that fits best, escaped but for the `<mark>` around each word found"
    )
    type: DocumentType
    source: Source
    score: float = Field(description="Between 0 and 1; comparable within one answer")
    link: str = Field(description="Where the document can be read, relative to the service")


class SuggestResponse(BaseModel):
    model_config = ConfigDict(json_schema_extra=always_there("success"))

    success: Literal[True] = True
    data: list[str]


class IndexedDocument(BaseModel):
    """Document as indexed; only its beginning if it is very long."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)

    id: str
    title: str
    type: DocumentType
    source: Source
    link: str
    body: str = Field(description="Plain text as its author wrote it, never to be shown as HTML")
    indexed_at: Timestamp


@dataclass(frozen=True, slots=True)
class Document:
    """Searchable document. `id` names the source and the place in it, and stays the same. `owner`: only he,
    and administrators, may find it.
    """

    id: str
    source: Source
    type: DocumentType
    title: str
    body: str
    link: str
    owner: str | None = None

    @property
    def content_hash(self) -> str:
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Match:
    """Document that was found, with its score."""

    document: Document
    score: float


@dataclass(frozen=True, slots=True)
class Matches:
    """Best matches, and how many there are in all."""

    best: list[Match]
    total: int
