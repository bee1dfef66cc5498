"""Options, arguments, checkpoints and results of taking the old registry over."""

from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from features.imports.schemas import Reject, RejectedField, Sample
from features.items.api import OnConflict

__all__ = [
    "AUDIT",
    "FILES",
    "IDEAS",
    "KINDS",
    "SYSTEMS",
    "TABLES",
    "Arguments",
    "Checkpoint",
    "Findings",
    "Options",
    "Phase",
    "Reject",
    "RejectedField",
    "Result",
    "Sample",
    "Source",
    "Store",
    "Table",
    "TableFindings",
    "TableResult",
    "Tally",
]

Source = Literal["questdb", "postgres"]
Store = Literal["questdb-1", "questdb-2", "postgres"]
"""The schemas that the old registry had, one after the other."""
Table = Literal[
    "documentation_systems", "documentation_ideas", "documentation_files", "documentation_audit_log"
]
Phase = Literal["preflight", "load", "verify", "report"]

KINDS: Final[dict[Source, str]] = {"questdb": "import.questdb", "postgres": "import.postgres"}
SYSTEMS: Final = "documentation_systems"
IDEAS: Final = "documentation_ideas"
FILES: Final = "documentation_files"
AUDIT: Final = "documentation_audit_log"
TABLES: Final[tuple[Table, ...]] = (SYSTEMS, IDEAS, FILES, AUDIT)
"""In the order in which they are written: each refers only to those before it."""


class Options(BaseModel):
    """What the caller chooses. `files`: the folder of the files' bytes. `max_rejects`: how many rows may be
    unusable before nothing is loaded; versions that a newer one supersedes do not count.
    """

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True)

    source: Source
    on_conflict: OnConflict = "skip"
    dry_run: bool = False
    max_rejects: Annotated[int, Field(ge=0)] | None = None
    files: Path | None = None


class Arguments(Options):
    """The job's arguments. `filename` names the source for people, without any password. `captured` is the
    SHA-256 of what was captured of each table; the tables that the source lacks are `absent`. `columns` are
    those of each table, `unknown` the ones among them that its schema does not have: they stay in `legacy`.
    """

    filename: str
    store: Store
    columns: dict[Table, list[str]]
    unknown: dict[Table, list[str]] = {}
    captured: dict[Table, str]
    absent: list[Table] = []


class TableFindings(BaseModel):
    """What preflight found in one table. `translated`: rows by the column whose old word has a new one;
    `adapted`: rows by the column whose value the new registry cannot hold. `existing`: for dry runs only.
    """

    model_config = ConfigDict(frozen=True)

    rows: int = 0
    superseded: int = 0
    rejected: int = 0
    existing: int = 0
    translated: dict[str, int] = {}
    adapted: dict[str, int] = {}
    spool_sha256: str = ""

    @property
    def accepted(self) -> int:
        return self.rows - self.superseded - self.rejected


class Findings(BaseModel):
    model_config = ConfigDict(frozen=True)

    tables: dict[Table, TableFindings]
    sha256: str
    bytes: int
    seconds: float
    rejects_sha256: str = ""

    @property
    def rows(self) -> int:
        return sum(table.rows for table in self.tables.values())

    @property
    def accepted(self) -> int:
        return sum(table.accepted for table in self.tables.values())

    @property
    def rejected(self) -> int:
        return sum(table.rejected for table in self.tables.values())


class Tally(BaseModel):
    """What has become of a table's rows up to `offset` of its spool."""

    model_config = ConfigDict(frozen=True)

    offset: int = 0
    done: int = 0
    imported: int = 0
    updated: int = 0
    unchanged: int = 0
    kept: int = 0


class Checkpoint(BaseModel):
    """Where a load goes on."""

    model_config = ConfigDict(frozen=True)

    findings: Findings
    rejects_offset: int = 0
    tables: dict[Table, Tally] = {}
    seconds: float = 0

    def tally(self, table: Table) -> Tally:
        return self.tables.get(table, Tally())

    @property
    def done(self) -> int:
        return sum(tally.done for tally in self.tables.values())


class Checked(BaseModel):
    """What verify found. `changed_since`: rows that somebody changed after they were loaded."""

    model_config = ConfigDict(frozen=True)

    verified: int = 0
    kept: int = 0
    changed_since: int = 0


class _Figures(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)

    records: int
    superseded: int
    rejected: int
    imported: int
    updated: int
    unchanged: int
    kept: int
    verified: int
    changed_since: int
    existing: int | None = None


class TableResult(_Figures):
    """One table's part of the result. Only the newest version of a row is taken; the older ones are
    `superseded`, and kept among the rejects. `unknown` are columns that its schema does not have.
    """

    unknown: list[str]

    translated: dict[str, int]
    adapted: dict[str, int]


class Result(_Figures):
    """The job's result: the figures of all tables together, and of each."""

    dry_run: bool
    on_conflict: OnConflict
    filename: str
    store: Store
    sha256: str
    bytes: int
    absent: list[Table]
    tables: dict[Table, TableResult]
    rejects: list[Sample] | None = None
    seconds: dict[Phase, float]
    rows_per_second: dict[Phase, int]
