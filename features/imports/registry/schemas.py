"""Options, arguments, checkpoints and results of importing the old registry."""

from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from features.imports.schemas import Changes, Choices, Reject, RejectedField, Sample
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
"""Schemas of the old registry, oldest first."""
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
"""Tables in the order in which they are written: each refers only to those before it."""


class Options(Choices):
    """Options of an import. `files`: folder of the files' bytes. Superseded versions are no rejects here."""

    source: Source
    files: Path | None = None


class Arguments(Options):
    """Arguments of the job. `filename` names the source for people, without any password. `captured` is the
    SHA-256 of each table's capture; the tables that the source lacks are `absent`. `columns` are those of
    each table, `unknown` the ones among them that its schema does not have: they stay in `legacy`.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel, populate_by_name=True)

    filename: str
    store: Store
    columns: dict[Table, list[str]]
    unknown: dict[Table, list[str]] = Field(default_factory=dict)
    captured: dict[Table, str]
    absent: list[Table] = Field(default_factory=list)


class TableFindings(BaseModel):
    """Findings of preflight in one table. `translated`: rows by the column whose old word has a new one;
    `adapted`: rows by the column whose value the new registry cannot hold. `existing`: for dry runs only.
    """

    model_config = ConfigDict(frozen=True)

    rows: int = 0
    superseded: int = 0
    rejected: int = 0
    existing: int = 0
    translated: dict[str, int] = {}
    adapted: dict[str, int] = {}
    changes: Changes | None = None
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
    """Counts of a table's rows up to `offset` of its spool; `remembered` counts those before it that only
    earlier sources had.
    """

    model_config = ConfigDict(frozen=True)

    offset: int = 0
    done: int = 0
    remembered: int = 0
    imported: int = 0
    updated: int = 0
    unchanged: int = 0
    kept: int = 0
    changes: Changes | None = None


class Checkpoint(BaseModel):
    """Point from which a load resumes."""

    model_config = ConfigDict(frozen=True)

    findings: Findings
    rejects_offset: int = 0
    tables: dict[Table, Tally] = {}
    seconds: float = 0

    def tally(self, table: Table) -> Tally:
        return self.tables.get(table) or Tally(changes=self.findings.tables[table].changes)

    @property
    def done(self) -> int:
        return sum(tally.done for tally in self.tables.values())


class Checked(BaseModel):
    """Outcome of verify. `kept`: rows that this import left alone and that differ. `changed_since`: rows that
    somebody changed after they were loaded.
    """

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
    differing: int
    verified: int
    changed_since: int
    existing: int | None = None
    since_last: Changes | None = None


class TableResult(_Figures):
    """Result of one table. Only the newest version of a row is taken; the older ones are `superseded`, and
    kept among the rejects. `unknown` are columns that its schema does not have.
    """

    unknown: list[str]

    translated: dict[str, int]
    adapted: dict[str, int]


class Result(_Figures):
    """Result of the job: the figures of all tables together, and of each. `since_last` of all together names
    rows by entity and id.
    """

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
