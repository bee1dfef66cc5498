"""What the phases of an import found and did so far."""

from pydantic import BaseModel, ConfigDict

from features.imports.schemas import Changes, Sample


class TableFindings(BaseModel):
    """Findings of preflight in one table. `translated`: rows by the column whose old word has a new one;
    `adapted`: rows by the column whose value the new registry cannot hold. `existing` and `first_rows`: for
    dry runs only.
    """

    model_config = ConfigDict(frozen=True)

    rows: int = 0
    superseded: int = 0
    rejected: int = 0
    existing: int = 0
    translated: dict[str, int] = {}
    adapted: dict[str, int] = {}
    changes: Changes | None = None
    first_rows: list[dict[str, str | None]] = []
    spool_sha256: str = ""

    @property
    def accepted(self) -> int:
        return self.rows - self.superseded - self.rejected


class Findings(BaseModel):
    """Findings of preflight. `ignored`: other lists of the source, by name; `samples` of its rejects."""

    model_config = ConfigDict(frozen=True)

    tables: dict[str, TableFindings]
    sha256: str
    bytes: int
    ignored: list[str] = []
    samples: list[Sample] = []
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
    """Counts of a table's rows up to `offset` of its spool: `position` counts the records before it, usable
    or not, `pieces` those of the text around them, `remembered` those that only earlier sources had.
    """

    model_config = ConfigDict(frozen=True)

    offset: int = 0
    position: int = 0
    pieces: int = 0
    remembered: int = 0
    done: int = 0
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
    tables: dict[str, Tally] = {}
    seconds: float = 0

    def tally(self, table: str) -> Tally:
        return self.tables.get(table) or Tally(changes=self.findings.tables[table].changes)

    @property
    def done(self) -> int:
        return sum(tally.done for tally in self.tables.values())


class Checked(BaseModel):
    """Outcome of verify. Of the rows that were compared (`done`) and differ: `kept` ones this import did not
    write (they were stored before, the source has not changed, or both sides have), `changed_since` ones
    somebody changed or deleted after they were loaded, and `wrong` ones have no reason, which is an error.
    """

    done: int = 0
    kept: int = 0
    changed_since: int = 0
    wrong: list[str] = []

    @property
    def verified(self) -> int:
        return self.done - self.kept - self.changed_since
