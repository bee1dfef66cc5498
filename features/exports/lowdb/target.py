"""File that is replaced as a whole or not at all."""

import fcntl
import hashlib
import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final

from core.locks import locked_at_once, open_lock
from core.server.embedded.process import GIVEN_UMASK
from features.exports.errors import ExportNotStored, TargetUnusable

_PARTIAL: Final = ".partial"
_UNUSABLE: Final = (FileNotFoundError, NotADirectoryError, IsADirectoryError, PermissionError)


class Target:
    """Atomic writer of a file: `write`, then `replace`; `close` in any case. All of it blocks.

    The content is written to a partial file beside it, which becomes the file once it is complete and synced.
    Its writer holds a lock on it that ends with the process: so partial files of dead writers are recognized
    and removed.
    """

    def __init__(self, path: Path, owner: str) -> None:
        """`owner` is part of the partial file's name. A symbolic link stays: its target is replaced."""
        self._path = path.resolve()
        self._name = path.name
        self._partial = self._path.with_name(f".{self._path.name}.{owner}{_PARTIAL}")
        self._hash = hashlib.sha256()
        self._file: BinaryIO | None = None
        self.bytes = 0
        try:
            if self._path.exists() and not self._path.is_file():
                raise TargetUnusable(f"{self._name} is not a file")
            self._sweep()
            descriptor = open_lock(self._partial)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            self._file = os.fdopen(descriptor, "wb", buffering=1 << 20)
        except OSError as error:
            raise self._problem(error) from error
        self.restart()

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()

    def restart(self) -> None:
        """Discard the written content."""
        assert self._file is not None
        self._file.seek(0)
        self._file.truncate()
        self._hash, self.bytes = hashlib.sha256(), 0

    def write(self, data: bytes) -> None:
        assert self._file is not None
        try:
            self._file.write(data)
        except OSError as error:
            raise self._problem(error) from error
        self._hash.update(data)
        self.bytes += len(data)

    def replace(self, *, mode: int) -> None:
        """Sync the partial file and give it its name. An existing file passes its mode and, if permitted, its
        owner to the new one, which otherwise gets `mode`.
        """
        assert self._file is not None
        try:
            self._file.flush()
            self._keep_access(self._file.fileno(), mode)
            os.fsync(self._file.fileno())
            self._partial.rename(self._path)
            _sync_directory(self._path.parent)
        except OSError as error:
            raise self._problem(error) from error

    def close(self) -> None:
        if self._file is not None:
            self._partial.unlink(missing_ok=True)
            with suppress(OSError):  # what it still wants to write does not matter
                self._file.close()

    def _keep_access(self, descriptor: int, mode: int) -> None:
        try:
            old = self._path.stat()
        except FileNotFoundError:
            os.fchmod(descriptor, mode)
            return
        with suppress(PermissionError):
            os.fchown(descriptor, old.st_uid, old.st_gid)
        os.fchmod(descriptor, stat.S_IMODE(old.st_mode))

    def _sweep(self) -> None:
        for left in self._path.parent.glob(f".{_escaped(self._path.name)}.*{_PARTIAL}"):
            with suppress(OSError), locked_at_once(left) as lock:
                if lock is not None:
                    left.unlink(missing_ok=True)

    def _problem(self, error: OSError) -> TargetUnusable | ExportNotStored:
        sentence = f"{self._name} cannot be written: {os.strerror(error.errno or 0)}"
        return TargetUnusable(sentence) if isinstance(error, _UNUSABLE) else ExportNotStored(sentence)


def default_mode() -> int:
    """Permission bits of a new file of this process."""
    return 0o666 & ~GIVEN_UMASK


def _escaped(name: str) -> str:
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
