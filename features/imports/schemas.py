"""Options, arguments, checkpoints and results of imports, whatever their source."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, get_args

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    RootModel,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from core.http.request.fields import Timestamp, is_none, without_null
from core.http.request.input import DIGITS_ALONE, Input
from core.jobs import JobState

KIND: Final = "import.lowdb"
NDJSON: Final = "application/x-ndjson"
UNDO_KIND: Final = "import.undo"
VERIFY_KIND: Final = "import.verify"
EXCLUSIVE: Final = "import"
"""Exclusion group of all imports and undos: one of them runs at a time, for each may need rows of another."""

ENTITY: Final = "item"
"""Entity name of the rows that a LowDB file brings."""


def kept(entity: str) -> str:
    """Name of the manifest part for records whose rows the import left as they were although they differ."""
    return f"kept {entity}"


def remembered(entity: str) -> str:
    """Name of the manifest part for records of earlier imports that a `since_last` import's source lacks."""
    return "remembered" if entity == ENTITY else f"remembered {entity}"


_NEXT_FIELD: Final = re.compile(r",(?=\s*\w+\s*=)")
"""Comma before a field: names of columns may have others."""

SAMPLES: Final = 20
"""Upper bound of the rejects, conflicts and vanished records that are named."""

ImportSource = Literal["lowdb", "csv", "questdb", "postgres"]
SOURCES: Final[Mapping[ImportSource, str]] = {source: f"import.{source}" for source in get_args(ImportSource)}
"""Kinds of all jobs that may reject records, by the source's name."""

FAMILIES: Final = ((SOURCES["lowdb"],), (SOURCES["csv"],), (SOURCES["questdb"], SOURCES["postgres"]))
"""Kinds of jobs whose sources are compared with each other's."""

RejectForm = Literal["ndjson", "csv"]
Into = Literal["items", "ideas", "systems"]
"""Lists that CSV files go into."""
Store = Literal["questdb-1", "questdb-2", "postgres"]
"""Schemas of the old registry, oldest first."""
Table = Literal[
    "documentation_systems", "documentation_ideas", "documentation_files", "documentation_audit_log"
]
OnConflict = Literal["skip", "overwrite", "fail"]
Phase = Literal["preflight", "load", "verify", "report"]


class Choices(Input):
    """Options that every import has. With `since_last` what somebody has changed here as well is a conflict,
    told and left alone.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    on_conflict: OnConflict = Field("skip", description="What to do with ids that are stored already")
    dry_run: bool = Field(default=False, description="Check only")
    max_rejects: Annotated[int, Field(ge=0), DIGITS_ALONE] | None = Field(
        default=None,
        description="Import nothing if more records than this cannot be taken over",
        json_schema_extra=without_null,
    )
    since_last: bool = Field(
        default=False, description="Only what has changed in the source since the last import"
    )

    @field_validator("since_last")
    @classmethod
    def _one_way(cls, since_last: bool, given: ValidationInfo) -> bool:
        if since_last and given.data.get("on_conflict", "skip") != "skip":
            raise ValueError("cannot be chosen together with on_conflict; leave one of them out")
        return since_last

    @property
    def overwrites(self) -> bool:
        """True if rows that are stored may be changed."""
        return self.since_last or self.on_conflict == "overwrite"


def _parsed_map(value: object) -> object:
    if not isinstance(value, str):
        return value
    pairs = [pair.partition("=") for pair in _NEXT_FIELD.split(value)]
    fields = {field.strip(): column.strip() for field, equals, column in pairs if equals}
    if len(fields) < len(pairs) or "" in fields:
        raise PydanticCustomError("map", "must be like title=Name,priority=Rank, each field once")
    return fields


class FileOptions(Choices):
    """Options of a file; an unknown one is refused: a misspelt `dry_run` would import for real. Those of CSV:
    the list that it goes `into`, and by field the column to take, "" for none.
    """

    model_config = ConfigDict(extra="forbid")

    source: ImportSource = Field(
        description="What the file is: `lowdb` a LowDB file, `csv` a spreadsheet, `questdb` and `postgres` a "
        "ZIP file of the old registry's tables, as QuestDB's `/exp` or PostgreSQL's `COPY … CSV HEADER` "
        "writes them"
    )
    into: Into | None = Field(
        default=None,
        validate_default=True,
        description="The list that a CSV file goes into",
        json_schema_extra=without_null,
    )
    map: Annotated[dict[str, str], BeforeValidator(_parsed_map), WithJsonSchema({"type": "string"})] = Field(
        default_factory=dict,
        description="Columns of a CSV file by field, `title=Name,priority=Rank`; other columns are taken for "
        "the field that they are called as, unless it is given none: `status=`",
    )

    @field_validator("into", "map")
    @classmethod
    def _of_csv(cls, value: str | dict[str, str] | None, given: ValidationInfo) -> object:
        source = given.data.get("source")
        if value and source not in (None, "csv"):
            raise ValueError("goes with source=csv only; leave it out")
        if value is None and source == "csv":
            raise ValueError(f"is required with source=csv: {', '.join(get_args(Into))}")
        return value


class RegistryOptions(Choices):
    """Options for an old registry. `files`: folder of the files' bytes. Superseded rows are no rejects."""

    source: Literal["questdb", "postgres"]
    files: Path | None = None


class Arguments(Choices):
    """Arguments of the job. `filename` names the source for people, without any password."""

    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel, populate_by_name=True)

    source: ImportSource
    filename: str


class FileArguments(Arguments):
    """`path` is the caller's own file; None means the upload in the job's folder. `sha256` is that of the
    upload; a file of the caller's is hashed when it is first read.

    Of CSV: `map` has the column of each field, `unknown` are the other columns, which are left out.
    """

    path: str | None = None
    sha256: str | None = None
    into: Into | None = None
    map: dict[str, str] | None = None
    unknown: list[str] | None = None


class RegistryArguments(Arguments):
    """`files` is a folder of the caller's own, or in that of the job. `captured` is the SHA-256 of each
    table's capture; the tables that the source lacks are `absent`.
    `columns` are those of each table, `unknown` the ones among them that its schema does not have: they stay
    in `legacy`.
    """

    files: Path | None = None
    store: Store
    columns: dict[Table, list[str]]
    unknown: dict[str, list[str]] = Field(default_factory=dict)
    captured: dict[Table, str]
    absent: list[Table] = Field(default_factory=list)


class RowReason(BaseModel):
    """Reason about one record or row, for people."""

    model_config = ConfigDict(frozen=True)

    id: str
    reason: str


class Changes(BaseModel):
    """Changes of the source since the import `previous`. `conflicts` were left alone, `vanished` records (not
    in the source any more, not even unusable) are still here; the first of both are named.
    """

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True)

    previous: str
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    conflicts: int = 0
    vanished: int = 0
    first_conflicts: list[RowReason] = []
    first_vanished: list[str] = []

    def plus(self, **more: Any) -> "Changes":
        """With these counts and names added."""
        added = {name: getattr(self, name) + value for name, value in more.items()}
        named = {name: value[:SAMPLES] for name, value in added.items() if isinstance(value, list)}
        return self.model_copy(update={**added, **named})


class RejectedField(BaseModel):
    field: str
    message: str


class RejectLine(BaseModel):
    """Line of the download of rejects. `record` is as the source has it; `position` counts from 0."""

    position: int
    path: str
    reason: str
    errors: list[RejectedField]
    record: JsonValue


class Reject(RejectLine):
    """Record that was not taken over. `record` is its JSON text as in the source, in ASCII, on one line."""

    record: str


def in_lines(schema: dict[str, Any]) -> None:
    line = schema.pop("items")
    schema |= {"type": "string", "format": "binary", "contentMediaType": NDJSON, "contentSchema": line}


class RejectLines(RootModel[list[RejectLine]]):
    """Rejects in the order of the source, one JSON object a line."""

    model_config = ConfigDict(json_schema_extra=in_lines)


Entry = tuple[str | None, str | None, str | None, str | None]
"""Record in a manifest chunk: its id; its digest; its text and the text before it, each only if the old
server would write it differently. Without a digest it could not be taken over, and has an id only if no other
record before it has the same.
"""


class Sample(BaseModel):
    """Excerpt of a reject."""

    path: str
    reason: str


class TakenBack(BaseModel):
    """When and by whom an import was taken back; `jobId` is the undo's."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, serialize_by_alias=True)

    job_id: str
    at: Timestamp
    actor: str


class Import(BaseModel):
    """An import. `id` is its job's; `undoable`: there is something to take back."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, serialize_by_alias=True)

    id: str
    source: ImportSource
    filename: str
    state: JobState
    dry_run: bool
    imported: Annotated[int | None, Field(exclude_if=is_none)] = None
    updated: Annotated[int | None, Field(exclude_if=is_none)] = None
    rejected: int
    undoable: bool
    taken_back: Annotated[TakenBack | None, Field(exclude_if=is_none)] = None
    actor: str
    created_at: Timestamp
    finished_at: Annotated[Timestamp | None, Field(exclude_if=is_none)] = None
    error: Annotated[str | None, Field(exclude_if=is_none)] = None
