"""A source of records as the pipeline sees it, and the tables that its records go to."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from core.database.client import Database
from core.database.import_table import ImportTable
from core.jobs import JobContext
from features.imports.pipeline.spool import Batch
from features.imports.pipeline.validator import Sink, Validator
from features.imports.queries.bulk import BulkTable
from features.imports.queries.reversal import ReversibleTable
from features.imports.schemas import Arguments, Words


@dataclass(frozen=True, slots=True)
class Target:
    """Table that records become rows of. Without a `reversal` its rows stay when the import is taken back.
    `at_once`: how many batches may be in flight.
    """

    rows: BulkTable
    reversal: ReversibleTable | None
    at_once: int = 1

    @classmethod
    def of(cls, declared: ImportTable, at_once: int = 1) -> "Target":
        reversal = ReversibleTable(declared) if declared.version else None
        return cls(BulkTable(declared), reversal, at_once)


class Objects(Protocol):
    """What rows of a table have beside the database."""

    async def store(self, context: JobContext, batch: Batch) -> Batch:
        """The batch with the places of its objects, which are stored."""

    async def raise_if_missing(self, context: JobContext, tx: Database, written: Sequence[str]) -> None:
        """Raises StorageUnavailable, so that the job is resumed, if a row came without its object."""

    async def written(self, context: JobContext, batch: Batch, written: Sequence[str]) -> None:
        """To be called after the commit. May be called again for the same batch."""

    async def damaged(self, context: JobContext, ids: Sequence[str]) -> list[str]:
        """Ids among these whose objects this job stored and that are not what they should be."""


class Source(ABC):
    """A source, opened for one import or comparison. `words` are what it calls its records and rows."""

    words: Words
    kinds: tuple[str, ...]
    targets: Mapping[str, Target]

    def __init__(self, arguments: Arguments, folder: Path) -> None:
        self.arguments = arguments
        self.folder = folder
        self.sha256 = ""
        self.bytes = 0
        self.ignored: list[str] = []

    @property
    def tables(self) -> Sequence[str]:
        """Tables that the source has, in the order in which they are written."""
        return tuple(self.targets)

    def rows(self, table: str) -> BulkTable:
        return self.targets[table].rows

    def rows_of(self, table: str) -> str:
        return self.words.rows

    def objects(self, table: str) -> Objects | None:
        return None

    async def damaged(self, db: Database, table: str, ids: Sequence[str]) -> dict[str, str]:
        """Checksums of those rows' objects that are not what they should be, by id."""
        return {}

    def label(self, table: str, row_id: str) -> str:
        """Name of a row among those of all tables."""
        return row_id

    def named(self, table: str, row_id: str) -> str:
        """Name of a row that verification failed for."""
        return row_id

    def field(self, column: str) -> str:
        """Name of a column for people."""
        return "other fields" if column == "legacy" else column

    @abstractmethod
    def validator(self, table: str, sink: Sink, before: int) -> Validator:
        """Validator of the table's records, after so many others. Blocks. Raises SourceUnavailable."""

    @abstractmethod
    def raise_if_changed(self, known: str | None, *, spooled: bool) -> None:
        """Raises SourceChanged or SourceUnavailable if the source is not what it was: its digest is `known`
        for a resumed job, which can do without it when everything is `spooled`. Blocks.
        """

    @abstractmethod
    def close(self) -> None:
        """To be called after the last record."""

    @property
    def sent(self) -> str | None:
        """Digest of what was sent, if that is known."""
        return None
