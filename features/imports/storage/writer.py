"""Writer of files that are whole or not there, and hashed on the way."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from features.imports.errors import StorageUnavailable

T = TypeVar("T")


class SpoolWriter:
    """Writer of a file under a temporary name; `finish` syncs it and gives the file its real name. Raises
    StorageUnavailable.
    """

    def __init__(self, path: Path, token: int) -> None:
        self._path = path
        self._partial = path.with_name(f"{path.name}.{token}")
        self._hash = hashlib.sha256()
        self._file = storing(lambda: open(self._partial, "wb", buffering=1 << 20, opener=private))  # noqa: SIM115

    def write(self, lines: bytes) -> None:
        self._hash.update(lines)
        storing(lambda: self._file.write(lines))

    def finish(self) -> str:
        """Sync and rename the file; returns the SHA-256 of its content in hex."""

        def finish() -> str:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            self._partial.rename(self._path)
            return self._hash.hexdigest()

        return storing(finish)

    def close(self) -> None:
        """Discard the file, unless finished."""
        self._file.close()
        self._partial.unlink(missing_ok=True)


def private(path: str, flags: int) -> int:
    """Opener for files that only their owner may read."""
    return os.open(path, flags | os.O_CLOEXEC, 0o600)


def storing(work: Callable[[], T]) -> T:
    """Result of the disk work. Raises StorageUnavailable if the disk is full, read-only or gone."""
    try:
        return work()
    except OSError as error:
        raise StorageUnavailable(f"Imports cannot be stored: {os.strerror(error.errno or 0)}") from error
