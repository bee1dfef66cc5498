"""The spool: what preflight found, in the form that load and verify want. The source is parsed only once.

`records.spool` has a line for each good record: its digest, a space, and its row as JSON. `rejects.spool`
has a line of JSON for each bad one. A position in a spool is a byte offset at the start of a line.
"""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from features.imports.storage.folders import private

RECORDS: Final = "records.spool"
REJECTS: Final = "rejects.spool"
_LARGEST_BATCH_BYTES: Final = 4 << 20
_DIGEST_CHARACTERS: Final = 64
_HASH_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Batch:
    """Some whole lines, and the offset after them."""

    lines: list[bytes]
    end: int


class SpoolWriter:
    """Writes lines under a name of its own; `finish` syncs them and gives the file its real name."""

    def __init__(self, path: Path, token: int) -> None:
        self._path = path
        self._partial = path.with_name(f"{path.name}.{token}")
        self._file: BinaryIO = open(self._partial, "wb", buffering=_HASH_BYTES, opener=private)  # noqa: SIM115
        self._hash = hashlib.sha256()

    def write(self, lines: bytes) -> None:
        self._hash.update(lines)
        self._file.write(lines)

    def finish(self) -> str:
        """The SHA-256 of what was written."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._partial.rename(self._path)
        return self._hash.hexdigest()

    def close(self) -> None:
        """Give up, unless finished."""
        self._file.close()
        self._partial.unlink(missing_ok=True)


def batches(path: Path, start: int, *, rows: int) -> Iterator[Batch]:
    """The lines from `start` on, at most `rows` and about 4 MiB at a time."""
    with path.open("rb") as file:
        file.seek(start)
        end = start
        while True:
            lines: list[bytes] = []
            size = 0
            while len(lines) < rows and size < _LARGEST_BATCH_BYTES:
                line = file.readline()
                if not line:
                    break
                size += len(line)
                lines.append(line[:-1])
            if not lines:
                return
            end += size
            yield Batch(lines, end)


def line_of(digest: str, row: bytes) -> bytes:
    return b"%b %b\n" % (digest.encode(), row)


def digest_of(line: bytes) -> str:
    return line[:_DIGEST_CHARACTERS].decode()


def row_of(line: bytes) -> bytes:
    return line[_DIGEST_CHARACTERS + 1 :]


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
