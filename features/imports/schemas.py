"""Options, arguments, checkpoints and results of imports."""

from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, RootModel, ValidationInfo, field_validator
from pydantic.alias_generators import to_camel

from core.http.request.fields import is_none
from core.http.request.input import DIGITS_ALONE, Input
from core.http.request.timestamps import Timestamp
from core.jobs import JobState
from features.items.api import OnConflict

KIND: Final = "import.lowdb"
NDJSON: Final = "application/x-ndjson"
UNDO_KIND: Final = "import.undo"
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


SAMPLES: Final = 20
"""Upper bound of the conflicts and vanished records that are named."""

KINDS: Final = (KIND, "import.questdb", "import.postgres")
"""Kinds of all jobs that may reject records."""

Source = Literal["lowdb"]
ImportSource = Literal["lowdb", "questdb", "postgres"]
Phase = Literal["preflight", "load", "verify", "report"]


class Choices(Input):
    """Options that every import has. `max_rejects`: how many records may be unusable before nothing is
    loaded.

    `since_last`: only what has changed in the source since the newest finished import; what somebody has
    changed here as well is a conflict, told and left alone.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    on_conflict: OnConflict = "skip"
    dry_run: bool = False
    max_rejects: Annotated[int, Field(ge=0), DIGITS_ALONE] | None = None
    since_last: bool = False

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


class Options(Choices):
    source: Source


class OptionsForm(Options):
    """Options of an upload. An unknown field is refused: a misspelt `dry_run` would import for real."""

    model_config = ConfigDict(extra="forbid")


class Arguments(Options):
    """Arguments of the job. `path` is the caller's own file; None means the upload in the job's folder.

    `sha256` is that of the upload; a file of the caller's is hashed when it is first read.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel, populate_by_name=True)

    filename: str
    path: str | None = None
    sha256: str | None = None


class Told(BaseModel):
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
    first_conflicts: list[Told] = []
    first_vanished: list[str] = []

    def with_counts(self, *, new: int = 0, changed: int = 0, unchanged: int = 0) -> "Changes":
        more = {"new": self.new + new, "changed": self.changed + changed}
        return self.model_copy(update={**more, "unchanged": self.unchanged + unchanged})

    def with_conflicts(self, conflicts: Sequence[Told]) -> "Changes":
        first = [*self.first_conflicts, *conflicts][:SAMPLES]
        return self.model_copy(
            update={"conflicts": self.conflicts + len(conflicts), "first_conflicts": first}
        )

    def with_vanished(self, ids: Sequence[str]) -> "Changes":
        first = [*self.first_vanished, *ids][:SAMPLES]
        return self.model_copy(update={"vanished": self.vanished + len(ids), "first_vanished": first})


class Findings(BaseModel):
    """Findings of preflight. `existing`: number of ids that are stored already, counted for dry runs only."""

    model_config = ConfigDict(frozen=True)

    sha256: str
    bytes: int
    records: int
    rejected: int
    list_name: str
    ignored: list[str]
    seconds: float
    spool_sha256: str = ""
    rejects_sha256: str = ""
    existing: int = 0
    changes: Changes | None = None

    @property
    def accepted(self) -> int:
        return self.records - self.rejected


class Checkpoint(BaseModel):
    """Point from which a load resumes: offsets into the spools, and counts of the rows before them.

    `position` counts the records before the offset, usable or not, `pieces` those of the text around them,
    `remembered` those that only earlier sources had.
    """

    model_config = ConfigDict(frozen=True)

    findings: Findings
    rejects_offset: int = 0
    offset: int = 0
    position: int = 0
    pieces: int = 0
    remembered: int = 0
    changes: Changes | None = None
    done: int = 0
    imported: int = 0
    updated: int = 0
    unchanged: int = 0
    kept: int = 0
    seconds: float = 0


class Checked(BaseModel):
    """Outcome of verify. `kept`: rows that this import left alone and that differ. `changed_since`: rows that
    somebody changed after they were loaded.
    """

    model_config = ConfigDict(frozen=True)

    verified: int
    kept: int
    changed_since: int
    seconds: float


class RejectedField(BaseModel):
    field: str
    message: str


class Reject(BaseModel):
    """Record that was not taken over. `record` is its JSON text as in the source, in ASCII, on one line."""

    model_config = ConfigDict(frozen=True)

    position: int
    path: str
    reason: str
    errors: list[RejectedField]
    record: str


class RejectLine(BaseModel):
    """Line of the download of rejects. `record` is as the source has it; `position` counts from 0."""

    position: int
    path: str
    reason: str
    errors: list[RejectedField]
    record: JsonValue


def _in_lines(schema: dict[str, Any]) -> None:
    line = schema.pop("items")
    schema |= {"type": "string", "format": "binary", "contentMediaType": NDJSON, "contentSchema": line}


class RejectLines(RootModel[list[RejectLine]]):
    """Rejects in the order of the source, one JSON object a line."""

    model_config = ConfigDict(json_schema_extra=_in_lines)


Entry = tuple[str | None, str | None, str | None, str | None]
"""Record in a manifest chunk: its id; its digest; its text and the text before it, each only if the old
server would write it differently. Without a digest it could not be taken over, and has an id only if no other
record before it has the same.
"""

UNKNOWN: Final = ""
"""Digest of a record that was taken back, or a conflict from the start: the next import finds it new."""


class Sample(BaseModel):
    """Excerpt of a reject."""

    path: str
    reason: str


class Result(BaseModel):
    """Result of the job. A dry run counts what would be imported and what exists, and shows the first
    rejects.

    `kept` rows were stored before and were left alone; `differing` ones among them say something else than
    the source. `unchanged` ones were identical. `seconds` and `rowsPerSecond` are by phase.
    """

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)

    dry_run: bool
    on_conflict: OnConflict
    filename: str
    sha256: str
    bytes: int
    records: int
    rejected: int
    imported: int = 0
    updated: int = 0
    unchanged: int = 0
    kept: int = 0
    differing: int = 0
    verified: int = 0
    changed_since: int = 0
    existing: int | None = None
    ignored: list[str] = []
    since_last: Changes | None = None
    rejects: list[Sample] | None = None
    seconds: dict[Phase, float] = {}
    rows_per_second: dict[Phase, int] = {}


class Import(BaseModel):
    """An import in the list of them. `id` is its job's; `undoable`: there is something to take back."""

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
    actor: str
    created_at: Timestamp
    finished_at: Annotated[Timestamp | None, Field(exclude_if=is_none)] = None
    error: Annotated[str | None, Field(exclude_if=is_none)] = None
