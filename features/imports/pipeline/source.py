"""A source of records as the pipeline sees it, and the tables that its records go to."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from core.database.client import Database
from core.jobs import JobContext
from features.imports.errors import SourceChanged, SourceUnavailable
from features.imports.pipeline.spool import Batch, sha256_of
from features.imports.pipeline.validator import Sink, Validator
from features.imports.queries.bulk import BulkTable
from features.imports.schemas import Arguments, FileArguments
from features.imports.storage.folders import SOURCE


@dataclass(frozen=True, slots=True)
class Words:
    """Names for people: of a source, its records, and the rows that they become."""

    source: str
    records: str
    rows: str


class Objects(Protocol):
    """Store of what rows of a table have beside the database."""

    async def store(self, context: JobContext, batch: Batch) -> Batch:
        """The batch with the places of its objects, which are stored."""

    async def raise_if_missing(self, context: JobContext, tx: Database, written: Sequence[str]) -> None:
        """Raises StorageUnavailable, so that the job is resumed, if a row came without its object."""

    async def written(self, context: JobContext, batch: Batch, written: Sequence[str]) -> None:
        """To be called after the commit. May be called again for the same batch."""

    async def damaged(self, context: JobContext, ids: Sequence[str]) -> list[str]:
        """Ids among these whose objects this job stored and that are not what they should be."""


class Source(ABC):
    """A source, opened for one import or comparison. `words` are what it calls its records and rows; `tables`
    those that it has, by their names there, in the order in which they are written.
    """

    words: Words
    kinds: tuple[str, ...]
    tables: Mapping[str, BulkTable]

    def __init__(self, arguments: Arguments, folder: Path) -> None:
        self.arguments = arguments
        self.folder = folder
        self.sha256 = ""
        self.bytes = 0
        self.ignored: list[str] = []

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


class FileReader(Protocol):
    """Reader of a file, which knows in the end what it has read."""

    bytes_read: int
    ignored: list[str]

    @property
    def sha256(self) -> str: ...


class FileSource(Source):
    """A file as a source: the caller's own, or the upload in the job's folder. `reader` reads it now."""

    arguments: FileArguments

    def __init__(self, arguments: FileArguments, folder: Path) -> None:
        super().__init__(arguments, folder)
        self._path = folder / SOURCE if arguments.path is None else Path(arguments.path)
        self._file: BinaryIO | None = None
        self.reader: FileReader | None = None

    @property
    def sent(self) -> str | None:
        return self.arguments.sha256

    def open(self) -> BinaryIO:
        self._file = opened(self._path, self._path.name)
        return self._file

    def raise_if_changed(self, known: str | None, *, spooled: bool) -> None:
        if known is None:
            return
        name = self.arguments.filename
        try:
            found = sha256_of(self._path)
        except OSError as error:
            raise SourceUnavailable(f"{self._path.name} cannot be read: {error.strerror}") from error
        if found is None and not spooled:
            raise SourceUnavailable(f"{name} is gone, and so is what was read of it; import it anew")
        if found not in (None, known):
            raise SourceChanged(f"{name} has changed since the import began; begin a new import")

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
        if (reader := self.reader) is not None:
            self.sha256, self.bytes, self.ignored = reader.sha256, reader.bytes_read, reader.ignored
            self.reader = None


def opened(path: Path, name: str) -> BinaryIO:
    """A file that can be read again from its beginning, by its name for people. Raises SourceUnavailable."""
    try:
        if not path.is_file():  # opening a pipe could wait for ever, and could not be resumed
            raise SourceUnavailable(f"{name} {'is not a file' if path.exists() else 'does not exist'}")
        return path.open("rb")
    except OSError as error:
        raise SourceUnavailable(f"{name} cannot be read: {error.strerror}") from error


def readable_path(path: Path) -> str:
    """Path for people, whatever is in it. Raises SourceUnavailable for one that no job could keep."""
    shown = "".join(each if each.isprintable() else ascii(each)[1:-1] for each in str(path))
    try:
        str(path.absolute()).encode()
    except UnicodeEncodeError:
        raise SourceUnavailable(f"{shown} is not a path in UTF-8; rename it") from None
    return shown
