"""Tag versions, shared by every process of one host through one memory-mapped file.

The file holds words of eight bytes: first those about the whole host, then a fixed number of slots with
random bytes. A tag owns the slot its digest falls on; two tags on one slot only leave entries behind more
often than needed. To invalidate is to overwrite a slot with fresh random bytes: no lock, no
read-modify-write, nothing that can fail or be lost halfway, no value that ever comes back. A write torn by
the memory system is harmless too: any mixture of old and new bytes differs from what was recorded before the
write began.

Whoever opens the file renews the epoch, so entries of earlier processes (and what a process that was killed
between commit and invalidation failed to leave behind) are never used. A deleted file is noticed on the next
use through its link count and replaced by a new one with a new epoch.

The file must be on a local file system: memory maps of a network file system do not follow each other.

A server and a command may name the same database from different data folders; they still have to share
versions, or the server would go on serving what the command has changed. So the file's place follows from the
database, not from the folder: shared memory, by a digest of the database's address. The embedded database
belongs to its data folder, and so do its tag versions.
"""

import hashlib
import mmap
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import parse_qs, urlsplit

import structlog

from core.processes import is_running, try_lock
from core.server.embedded.server import ServicePaths
from core.settings import Settings

WORD_BYTES: Final = 8
SLOTS: Final = 16_384
HEAD_WORDS: Final = 6
FILE_BYTES: Final = WORD_BYTES * (HEAD_WORDS + SLOTS)
EPOCH, LIFE, HOST = (slice(at * WORD_BYTES, (at + 1) * WORD_BYTES) for at in range(3))


SHARED_MEMORY: Final = Path("/dev/shm")
LOOPBACK: Final = frozenset({"", "localhost", "127.0.0.1", "::1"})
DEFAULT_PORT: Final = 5432

_log = structlog.get_logger(__name__)


@lru_cache(maxsize=4096)
def slot_of(tag: bytes) -> slice:
    """Where the file holds the version of this tag, given by its digest."""
    at = WORD_BYTES * (HEAD_WORDS + int.from_bytes(tag[:4], "big") % SLOTS)
    return slice(at, at + WORD_BYTES)


class Follower(Protocol):
    """Renews the host's tag versions for what others write (`core.changes`)."""

    @property
    def bound_s(self) -> float:
        """For so long after the last look began an entry may be used; 0: only if that was after the read."""

    @property
    def settled(self) -> bool:
        """True if this process reads the database as of the host's present life."""

    async def catch_up(self) -> None:
        """Look now. Raises nothing: where that was not possible, the last look is as old as it was."""


class _Moment:
    """Word of the file that holds a moment of the monotonic clock, which all processes of a host share."""

    def __init__(self, word: int) -> None:
        self._word = word

    def __get__(self, versions: "TagVersions", owner: object) -> float:
        return versions.moments[self._word]

    def __set__(self, versions: "TagVersions", moment: float) -> None:
        versions.moments[self._word] = moment


class TagVersions:
    """Open on construction; raises OSError when the file cannot be made (folder not writable, disk full)."""

    looked_at = _Moment(3)
    """All that was committed before this moment has been renewed here; 0 before the first look."""
    wanted_at = _Moment(4)
    """When somebody read last."""
    doubted_until = _Moment(5)
    """Till then PostgreSQL may carry out a write of this host whose outcome is unknown: what the log of
    changes has of this host is read as if another one had made it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._attach()
        self.wakeup = _pipe(path.with_suffix(".wakeup"))
        """A descriptor, readable after `wake`, for the process that looks."""

    def read(self, slots: Sequence[slice] = ()) -> bytes:
        """The epoch, then what is in these slots, as bytes to be compared with an earlier reading."""
        self._follow()
        words = self._map
        return b"".join([words[EPOCH], *[words[slot] for slot in slots]])

    def renew(self, tags: Sequence[bytes]) -> None:
        """Leave behind every entry that carries one of these tags, in all processes of the host."""
        self._overwrite([slot_of(tag) for tag in tags])

    def begin_life(self) -> None:
        """Leave behind everything, and the connections to the database through which it was read.

        The name of the life comes first: who notes the new epoch finds the new name as well.
        """
        self._overwrite([LIFE, EPOCH])

    @property
    def life(self) -> bytes:
        return self._map[LIFE]

    @property
    def origin(self) -> str:
        """Name of this process in the log of changes: the host, by a random name, and its number."""
        return f"{self._map[HOST].hex()}/{os.getpid()}"

    def sees_to(self, origin: str | None) -> bool:
        """True if a process of this host that still runs has written it: it renews the versions itself.

        Of one that was killed a statement may be carried out later, when what it waited for is free.
        """
        host, _, pid = (origin or "").partition("/")
        if host != self._map[HOST].hex() or self.looked_at < self.doubted_until:
            return False
        return _runs(int(pid))

    def lead(self) -> bool:
        """True if this process is the one of the host that looks; it stays so until it ends."""
        self._follow()
        return try_lock(self._descriptor, exclusive=True)

    def wake(self) -> None:
        """Have the process that looks do so now."""
        with suppress(BlockingIOError):  # it has been told often enough
            os.write(self.wakeup, b"\0")

    def close(self) -> None:
        self._detach()
        os.close(self.wakeup)

    def _detach(self) -> None:
        self.moments.release()
        self._map.close()
        os.close(self._descriptor)

    def _overwrite(self, words: Sequence[slice]) -> None:
        while True:
            self._follow()
            for word in words:
                self._map[word] = os.urandom(WORD_BYTES)
            if self._linked():  # otherwise others may already read a newer file
                return

    def _attach(self) -> None:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            if os.fstat(self._descriptor).st_size < FILE_BYTES:
                _reserve(self._descriptor)
            words = self._map = mmap.mmap(self._descriptor, FILE_BYTES)
        except BaseException:
            os.close(self._descriptor)
            raise
        # Aligned words of native doubles are written at once; `struct` would write some forms byte by byte.
        self.moments = memoryview(words)[: WORD_BYTES * HEAD_WORDS].cast("d")
        if max(self.looked_at, self.wanted_at) > time.monotonic():
            # The file is of before the machine started, or of another one.
            self.looked_at = self.wanted_at = self.doubted_until = 0
        if not any(words[HOST]):
            words[HOST] = os.urandom(WORD_BYTES)
        words[EPOCH] = os.urandom(WORD_BYTES)

    def _follow(self) -> None:
        if not self._linked():
            self._detach()
            self._attach()

    def _linked(self) -> bool:
        return os.fstat(self._descriptor).st_nlink > 0


def _runs(pid: int) -> bool:
    """False also if it was stopped, or killed and not yet waited for: neither renews anything."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "TtZX"
    except OSError:  # gone, or no Linux
        return is_running(pid)


def _reserve(descriptor: int) -> None:
    """Real blocks where possible: a write through a map into a hole of a full disk kills the process."""
    if sys.platform == "linux":
        os.posix_fallocate(descriptor, 0, FILE_BYTES)
    else:
        os.ftruncate(descriptor, FILE_BYTES)


def _pipe(path: Path) -> int:
    with suppress(FileExistsError):
        os.mkfifo(path, 0o600)
    return os.open(path, os.O_RDWR | os.O_NONBLOCK)


def versions_folder(settings: Settings) -> Path:
    """A folder that exists and is ours. Falls back to the data folder where another user's is in the way."""
    own = settings.data_dir / "run"
    if _database_is_embedded(settings):
        return own
    host, port, name = _address(settings.database_url or "")
    digest = hashlib.sha256(f"{host}\n{port}\n{name}".encode()).hexdigest()[:32]
    base = SHARED_MEMORY if SHARED_MEMORY.is_dir() else Path(tempfile.gettempdir())
    shared = base / f"handover-{digest}"
    try:
        shared.mkdir(mode=0o700, exist_ok=True)
        if not shared.is_symlink() and (shared.stat().st_uid == os.geteuid() or os.geteuid() == 0):
            return shared
        reason = "it belongs to another user"
    except OSError as error:
        reason = error.strerror or "it cannot be made"
    _log.warning("cache.versions_not_shared", folder=str(shared), reason=reason)
    return own


def _database_is_embedded(settings: Settings) -> bool:
    if settings.database_url is None:
        return True
    folder = _address(settings.database_url)[0]
    own = ServicePaths("postgres", settings.data_dir).socket_dir
    return folder.startswith("/") and os.path.realpath(folder) == os.path.realpath(own)


def _address(url: str) -> tuple[str, int, str]:
    """Host or socket folder, port and database: the same for every spelling that is seen in practice."""
    parts = urlsplit(url)
    folder = parse_qs(parts.query).get("host", [""])[0]
    host = os.path.realpath(folder) if folder.startswith("/") else folder or parts.hostname or ""
    return "loopback" if host in LOOPBACK else host, parts.port or DEFAULT_PORT, parts.path.strip("/")
