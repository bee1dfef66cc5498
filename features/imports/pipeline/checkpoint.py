"""Checkpoint of an import: what it has found and done so far, and where it resumes."""

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from features.imports.pipeline.spool import START, Place
from features.imports.schemas import Changes, Phase, Sample


class Tally(BaseModel):
    """Counts of one table's rows, in the order of the phases.

    preflight: only the newest version of a row is taken, the older ones are `superseded`, and so are entries
    of an audit log that were made here and come back; `translated`: rows by the column whose old word has a
    new one, `adapted`: by the column whose value the new registry cannot hold; `existing` and `first_rows`
    are for dry runs only. load, up to a `place` in the spool: `kept` rows were stored before and were left
    alone, `unchanged` ones were identical. verify: `differing` are kept rows that say something else than the
    source, `changed_since` those that somebody changed or deleted after they were loaded.
    """

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True)

    records: int = 0
    superseded: int = 0
    rejected: int = 0
    existing: int | None = None
    translated: dict[str, int] = {}
    adapted: dict[str, int] = {}
    since_last: Changes | None = None
    first_rows: list[dict[str, str | None]] = []
    spool_sha256: str = ""
    place: Place = START
    imported: int = 0
    updated: int = 0
    unchanged: int = 0
    kept: int = 0
    differing: int = 0
    verified: int = 0
    changed_since: int = 0

    @property
    def accepted(self) -> int:
        return self.records - self.superseded - self.rejected

    @property
    def done(self) -> int:
        """Rows that load is done with."""
        conflicts = self.since_last.conflicts if self.since_last else 0
        return self.imported + self.updated + self.unchanged + self.kept + conflicts


class Checkpoint(BaseModel):
    """Counts of all tables, and what else the report needs. `ignored`: other lists of the source, by name;
    `samples` of its rejects.
    """

    model_config = ConfigDict(frozen=True)

    tables: dict[str, Tally]
    sha256: str
    bytes: int
    ignored: list[str] = []
    samples: list[Sample] = []
    rejects_sha256: str = ""
    rejects_offset: int = 0
    seconds: dict[Phase, float]

    def count(self, figure: str) -> int:
        """Sum of the figure over all tables."""
        return sum(getattr(tally, figure) for tally in self.tables.values())

    def beside(self, table: str, tally: Tally, phase: Phase, seconds: float) -> "Checkpoint":
        """The same with another tally of a table, and the time that the phase has taken so far."""
        return self.model_copy(
            update={"tables": {**self.tables, table: tally}, "seconds": {**self.seconds, phase: seconds}}
        )
