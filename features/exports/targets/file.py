"""File that is replaced as a whole or not at all, and what it shares with such a folder."""

import fcntl
import hashlib
import os
import stat
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path
from typing import BinaryIO, Final

from core.processes import GIVEN_UMASK, locked_at_once, open_lock
from features.exports.errors import ExportNotStored, TargetUnusable

PARTIAL: Final = ".partial"
DEFAULT_MODE: Final = 0o666 & ~GIVEN_UMASK
"""Permission bits of a new file of this process."""
_UNUSABLE: Final = (
    *(FileNotFoundError, NotADirectoryError, IsADirectoryError, PermissionError),
    FileExistsError,
)


class Target(ABC):
    """Atomic writer of a path: `restart` and write, then `finish`; `close` in any case. Most of it blocks.
    What is written has another name beside the path until it is complete and synced. Messages have `name`, by
    default the last part of the path: those of a job are read by others than the one who chose it.
    """

    def __init__(self, path: Path, owner: str, *, name: str | None = None) -> None:
        self.path, self.name = path, name or path.name
        self.partial = path.with_name(f".{path.name}.{owner}{PARTIAL}")
        self.bytes = 0

    @property
    def identity(self) -> str:
        """Identity of the file at the path once it is finished, whatever its name."""
        return identity_of(self.partial) or ""

    @abstractmethod
    def restart(self) -> None:
        """Discard what was written."""

    @abstractmethod
    def seal(self, mode: int) -> None:
        """Sync what was written, with `mode` if it is new there."""

    @abstractmethod
    def close(self) -> None:
        """Discard what was written, unless finished."""

    def finish(self, mode: int) -> None:
        """Give what was written its name."""
        with self.writing():
            self.seal(mode)
            self.partial.rename(self.path)
            sync(self.path.parent)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Raises TargetUnusable, ExportNotStored instead of what the system says."""
        try:
            yield
        except OSError as error:
            sentence = f"{self.name} cannot be written: {os.strerror(error.errno or 0)}"
            kind = TargetUnusable if isinstance(error, _UNUSABLE) else ExportNotStored
            raise kind(sentence) from error


class FileTarget(Target):
    """Its writer holds a lock on the partial file that ends with the process: so partial files of dead
    writers are recognized and removed. A symbolic link stays: its target is replaced.
    """

    def __init__(self, path: Path, owner: str, *, name: str | None = None) -> None:
        super().__init__(path.resolve(), owner, name=name or path.name)
        self._hash = hashlib.sha256()
        with self.writing():
            if self.path.exists() and not self.path.is_file():
                raise TargetUnusable(f"{self.name} is not a file")
            for left in self.path.parent.glob(f".{escape(self.path.name)}.*{PARTIAL}"):
                with suppress(OSError), locked_at_once(left) as lock:
                    if lock is not None:
                        left.unlink(missing_ok=True)
            descriptor = open_lock(self.partial)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            self._file: BinaryIO = os.fdopen(descriptor, "wb", buffering=1 << 20)

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()

    def restart(self) -> None:
        self._file.seek(0)
        self._file.truncate()
        self._hash, self.bytes = hashlib.sha256(), 0

    def write(self, data: bytes) -> None:
        with self.writing():
            self._file.write(data)
        self._hash.update(data)
        self.bytes += len(data)

    def seal(self, mode: int) -> None:
        """An existing file passes its mode and, if permitted, its owner to the new one."""
        self._file.flush()
        descriptor = self._file.fileno()
        if self.path.exists():
            old = self.path.stat()
            mode = stat.S_IMODE(old.st_mode)
            with suppress(PermissionError):
                os.fchown(descriptor, old.st_uid, old.st_gid)
        os.fchmod(descriptor, mode)
        os.fsync(descriptor)

    def close(self) -> None:
        self.partial.unlink(missing_ok=True)
        with suppress(OSError):  # what it still wants to write does not matter
            self._file.close()


def identity_of(path: Path) -> str | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return f"{found.st_dev}.{found.st_ino}"


def sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
