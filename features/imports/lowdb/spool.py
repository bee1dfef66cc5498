"""Spool: the findings of preflight in the form that load and verify need, so that the source is parsed only
once.

`records.spool` has the whole source in its order, a line for each record or piece of text around them, in
columns that tabs separate (JSON holds none):

    new        proof  rest  row          a record to be loaded
    changed    proof  rest  row  base    the same, with its digest of the last time
    unchanged  proof  rest               a record that is as the last time
    unusable   proof  rest               a record that cannot be taken over
    remembered proof                     a record that earlier sources had
    head, tail text                      what stands before and after the records

`row` and `text` are JSON; `proof` are id and digest as in an `Entry`, with a comma between them, and `rest`
its last two fields, each with a comma before it. In a spool of the registry every line has a `row`, whose
digest is `rest`; that of what the source says is in `proof`. `rejects.spool` has a line of JSON for each bad
record. A position in a spool is a byte offset at the start of a line.
"""

import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from features.imports.storage.folders import private

RECORDS: Final = "records.spool"
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
_HASH_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Batch:
    """Consecutive whole lines, and the offset after them."""

    lines: list[bytes]
    end: int


class SpoolWriter:
    """Writer of a spool under a temporary name; `finish` syncs it and gives the file its real name."""

    def __init__(self, path: Path, token: int) -> None:
        self._path = path
        self._partial = path.with_name(f"{path.name}.{token}")
        self._file: BinaryIO = open(self._partial, "wb", buffering=_HASH_BYTES, opener=private)  # noqa: SIM115
        self._hash = hashlib.sha256()

    def write(self, lines: bytes) -> None:
        self._hash.update(lines)
        self._file.write(lines)

    def finish(self) -> str:
        """Sync and rename the file; returns the SHA-256 of its content in hex."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._partial.rename(self._path)
        return self._hash.hexdigest()

    def close(self) -> None:
        """Discard the file, unless finished."""
        self._file.close()
        self._partial.unlink(missing_ok=True)


def batches(path: Path, start: int, *, rows: int) -> Iterator[Batch]:
    """Batches of the lines from `start` on, each of at most `rows` rows and about 4 MiB; text around records
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
            yield Batch(lines, end)


class Line(NamedTuple):
    """Line of `records.spool`; columns that its kind does not have are empty."""

    kind: bytes
    proof: bytes
    rest: bytes = b""
    row: bytes = b""
    base: bytes = b""

    @classmethod
    def read(cls, line: bytes) -> "Line":
        return cls(*line.split(b"\t"))

    @property
    def id(self) -> bytes:
        """Id as JSON."""
        return self.proof[: -_DIGEST_CHARACTERS - 3]

    @property
    def digest(self) -> bytes:
        return self.proof[-_DIGEST_CHARACTERS - 1 : -1]


def joined(objects: Iterable[bytes]) -> str:
    """Text of a JSON array of the objects."""
    return f"[{b','.join(objects).decode()}]"


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
