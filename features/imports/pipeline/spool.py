"""Spool: the findings of preflight in the form that load and verify need, so that the source is parsed only
once.

The spool of a table has a line for each of its records, or piece of text around them, in the source's order,
in columns that tabs separate (JSON holds none), empty ones at the end left out:

    new        pair  rest  row  base  digest    a record to be loaded
    changed    the same, of which earlier imports found another digest: `base`
    unchanged  the same, if the row may have to be written all the same
    unusable   pair  rest                       a record that cannot be taken over
    remembered pair                             a record that earlier sources had
    head, tail text                              what stands before and after the records

`row` is a line of `queries.digests`; `pair` are id and digest as in an `Entry`, with a comma between them,
and `rest` its last two fields, each with a comma before it. `digest` is that of the row as it is written, if
the source's own is another one. `rejects.spool` has a line of JSON for each bad record. A position in a spool
is a byte offset at the start of a line.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

import orjson

from features.imports.queries.bulk import BulkTable

REJECTS: Final = "rejects.spool"
_LARGEST_BATCH_BYTES: Final = 4 << 20
_DIGEST_CHARACTERS: Final = 64

NEW: Final = b"new"
CHANGED: Final = b"changed"
UNCHANGED: Final = b"unchanged"
UNUSABLE: Final = b"unusable"
REMEMBERED: Final = b"remembered"
HEAD: Final = b"head"
TAIL: Final = b"tail"


def spool_of(folder: Path, table: str) -> Path:
    return folder / f"{table}.spool"


class Line(NamedTuple):
    """Record in a spool; columns that its kind does not have are empty."""

    kind: bytes
    pair: bytes
    rest: bytes = b""
    row: bytes = b""
    base: bytes = b""
    own_digest: bytes = b""

    @property
    def id(self) -> bytes:
        """Id as JSON."""
        return self.pair[: -_DIGEST_CHARACTERS - 3]

    @property
    def key(self) -> str:
        found: str = orjson.loads(self.id)
        return found

    @property
    def digest(self) -> bytes:
        return self.own_digest or self.pair[-_DIGEST_CHARACTERS - 1 : -1]

    def compared(self, rows: BulkTable) -> bytes:
        """Entry of `BulkTable.compare`."""
        if self.own_digest or rows.declared.counters:
            return rows.pair(self.digest, self.row)
        return b"[%b]" % self.pair


@dataclass(frozen=True, slots=True)
class Chunk:
    """Consecutive whole lines, and the offset after them."""

    lines: list[bytes]
    end: int


class Place(NamedTuple):
    """Place in a spool: how many bytes, lines, and records among them, usable or not, are before it."""

    offset: int
    lines: int
    records: int


START: Final = Place(0, 0, 0)


@dataclass(frozen=True, slots=True)
class Batch:
    """Consecutive records, usable or not, pieces of the text around them, and records that only earlier
    sources had, between two places in the spool.
    """

    frame: list[tuple[str, str]]
    records: list[Line]
    accepted: list[Line]
    remembered: list[Line]
    begin: Place
    end: Place


def chunks(path: Path, start: int, *, rows: int) -> Iterator[Chunk]:
    """Chunks of the lines from `start` on, each of at most `rows` rows and about 4 MiB; text around records
    counts as no row.
    """
    with path.open("rb") as file:
        file.seek(start)
        end = start
        while True:
            lines: list[bytes] = []
            size = count = 0
            while count < rows and size < _LARGEST_BATCH_BYTES:
                line = file.readline()
                if not line:
                    break
                size += len(line)
                count += not line.startswith((HEAD, TAIL))
                lines.append(line[:-1])
            if not lines:
                return
            end += size
            yield Chunk(lines, end)


def batches(path: Path, *, rows: int, begin: Place = START) -> Iterator[Batch]:
    """Batches of a table's spool from the place on."""
    for chunk in chunks(path, begin.offset, rows=rows):
        frame: list[tuple[str, str]] = []
        records: list[Line] = []
        earlier: list[Line] = []
        for each in chunk.lines:
            kind, *columns = each.split(b"\t")
            if kind in (HEAD, TAIL):
                frame.append((kind.decode(), orjson.loads(columns[0])))
            else:
                (earlier if kind == REMEMBERED else records).append(Line(kind, *columns))
        accepted = [line for line in records if line.kind != UNUSABLE]
        end = Place(chunk.end, begin.lines + len(chunk.lines), begin.records + len(records))
        yield Batch(frame, records, accepted, earlier, begin, end)
        begin = end


def joined(objects: Iterable[bytes]) -> str:
    """Text of a JSON array of the objects."""
    return f"[{b','.join(objects).decode()}]"


def sha256_of(path: Path) -> str | None:
    """Digest of the file in hex, None if it does not exist."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return None
