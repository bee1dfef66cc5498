"""Base of the validators, one for each kind of record, and the rejects of all of them."""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Final

import orjson

from core.database.client import Database
from features.imports.pipeline.previous import Previous
from features.imports.pipeline.spool import CHANGED, NEW, REMEMBERED, UNCHANGED, Line
from features.imports.schemas import SAMPLES, Reject, RejectedField, Sample
from features.imports.storage.writer import SpoolWriter

_MESSAGE_CHARACTERS: Final = 1000

Fault = tuple[str, str]
"""Field and message."""


class Rejects:
    """Rejects of all tables. Superseded versions are none, but stand beside them, so that an export can write
    them back. Without a spool (a dry run) it only counts faults, of which there may be `most`.
    """

    def __init__(
        self, spool: SpoolWriter | None, most: int | None = None, *, samples: int | None = SAMPLES
    ) -> None:
        self.faulty = 0
        self.too_many = False
        self.samples: list[Sample] = []
        self._spool, self._most, self._most_samples = spool, most, samples

    def add(self, path: str, position: int, record: Callable[[], str], faults: Sequence[Fault]) -> None:
        """Add an unusable record, as JSON text. `position` counts over all tables."""
        errors = [RejectedField(field=_shown(field), message=_shown(message)) for field, message in faults]
        reason = "; ".join(f"{each.field}: {each.message}" for each in errors)[:_MESSAGE_CHARACTERS]
        self.faulty += 1
        self.too_many = self._most is not None and self.faulty > self._most
        if self._most_samples is None or len(self.samples) < self._most_samples:
            self.samples.append(Sample(path=path, reason=reason))
        self.keep(path, position, record, reason, errors)

    def keep(
        self,
        path: str,
        position: int,
        record: Callable[[], str],
        reason: str,
        errors: Sequence[RejectedField] = (),
    ) -> None:
        """Store a record that is not taken over; without `errors` it is superseded."""
        if self._spool is not None:
            text = record()
            reject = Reject(position=position, path=path, reason=reason, errors=list(errors), record=text)
            self._spool.write(reject.model_dump_json().encode() + b"\n")

    def finish(self) -> str:
        return "" if self._spool is None else self._spool.finish()

    def close(self) -> None:
        if self._spool is not None:
            self._spool.close()


@dataclass(frozen=True, slots=True)
class Sink:
    """Where the records of a table go: the spool, if any, and the rejects. `previous`: what earlier imports
    found. `collects`: the lines are handed on, too.
    """

    rejects: Rejects
    spool: SpoolWriter | None = None
    previous: Previous | None = None
    collects: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """Valid records among the next ones: their ids, and their lines if they are to be collected."""

    ids: list[str]
    lines: list[Line]


class Validator(ABC):
    """Validator of the records of one table, to be iterated once.

    `records` have been read so far, `validated` of them are done with; `first_rows`, of sources whose columns
    people map, are the first as they would come in.
    """

    def __init__(self, sink: Sink) -> None:
        self.sink = sink
        self.records = self.validated = self.superseded = self.rejected = 0
        self.translated: Counter[str] = Counter()
        self.adapted: Counter[str] = Counter()
        self.first_rows: list[dict[str, str | None]] = []
        self._lines: list[bytes] = []
        self._collected: list[Line] = []

    @property
    def expected(self) -> int:
        """Number of records, or an estimate."""
        return self.records

    @abstractmethod
    def found(self, db: Database) -> AsyncIterator[Found]:
        """Batches of valid records. Raises SourceMalformed as soon as a fault is found."""

    def remember(self, records: Sequence[tuple[str, str]]) -> None:
        """Write (id, digest) of records that only earlier sources had to the spool, after the last one."""
        self._lines += [
            b'%b\t%b,"%b"' % (REMEMBERED, orjson.dumps(identifier), digest.encode())
            for identifier, digest in records
        ]
        self.flush()

    def reject(
        self, path: str, position: int, record: Callable[[], str], faults: Sequence[Fault], row_id: object
    ) -> None:
        """Count and keep an unusable record; `row_id` is the id that it seems to have."""
        self.rejected += 1
        if row_id is not None and self.sink.previous is not None:
            self.sink.previous.is_unusable(str(row_id))
        self.sink.rejects.add(path, position, record, faults)

    def accept(self, identifier: str, digest: str, row: bytes, rest: bytes = b"") -> None:
        """Emit the line of a valid record; without its row if that was the same the last time."""
        pair = b'%b,"%b"' % (orjson.dumps(identifier), digest.encode())
        kind, base = self.kind_of(identifier, digest)
        self.emit(Line(kind, pair, rest) if kind is UNCHANGED else Line(kind, pair, rest, row, base.encode()))

    def kind_of(self, identifier: str, digest: str) -> tuple[bytes, str]:
        """Kind of a record's line, and its digest of the last time."""
        last = None if self.sink.previous is None else self.sink.previous.digest_of(identifier)
        if last is None:
            return NEW, ""
        return UNCHANGED if last == digest else CHANGED, last

    def emit(self, line: Line) -> None:
        if self.sink.spool is not None:
            self._lines.append(b"\t".join(line))
        if self.sink.collects:
            self._collected.append(line)

    def flush(self) -> None:
        if self.sink.spool is not None and self._lines:
            self.sink.spool.write(b"\n".join([*self._lines, b""]))
        self._lines.clear()

    def collected(self) -> list[Line]:
        """Lines since the last call."""
        found, self._collected = self._collected, []
        return found


def _shown(text: str) -> str:
    """Text that can be stored, cut to 1000 characters: PostgreSQL knows neither NUL nor lone surrogates."""
    return text[:_MESSAGE_CHARACTERS].replace("\0", "\\0").encode("utf-8", "backslashreplace").decode()
