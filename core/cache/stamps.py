"""Version stamps of tags, shared by every process of one host through one memory-mapped file.

The file holds an epoch and a fixed number of slots, each eight random bytes. A tag owns the slot its digest
falls on; two tags on one slot only leave entries behind more often than needed. To invalidate is to overwrite
a slot with fresh random bytes: no lock, no read-modify-write, nothing that can fail or be lost halfway, no
value that ever comes back. A write torn by the memory system is harmless too: any mixture of old and new
bytes differs from what was recorded before the write began.

Whoever opens the file renews the epoch, so entries of earlier processes (and what a process that was killed
between commit and invalidation failed to leave behind) are never used. A deleted file is noticed on the next
use through its link count and replaced by a new one with a new epoch.

The file must be on a local file system: memory maps of a network file system do not follow each other.
"""

import mmap
import os
import sys
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Final

STAMP_BYTES: Final = 8
SLOTS: Final = 16_384
FILE_BYTES: Final = STAMP_BYTES * (1 + SLOTS)
EPOCH: Final = slice(0, STAMP_BYTES)


@lru_cache(maxsize=4096)
def slot_of(tag: bytes) -> slice:
    """Where the file holds the stamp of this tag, given by its digest."""
    at = STAMP_BYTES * (1 + int.from_bytes(tag[:4], "big") % SLOTS)
    return slice(at, at + STAMP_BYTES)


class Stamps:
    """Open on construction; raises OSError when the file cannot be made (folder not writable, disk full)."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor, self._map = self._attach()

    def read(self, slots: Sequence[slice]) -> bytes:
        """The epoch, then what is in these slots, as bytes to be compared with an earlier reading."""
        self._follow()
        words = self._map
        return b"".join([words[EPOCH], *[words[slot] for slot in slots]])

    @property
    def epoch(self) -> bytes:
        return self.read(())

    def renew(self, tags: Sequence[bytes]) -> None:
        """Leave behind every entry that carries one of these tags, in all processes of the host."""
        self._overwrite([slot_of(tag) for tag in tags])

    def renew_epoch(self) -> None:
        """Leave behind everything."""
        self._overwrite([EPOCH])

    def close(self) -> None:
        self._map.close()
        os.close(self._descriptor)

    def _overwrite(self, slots: Sequence[slice]) -> None:
        while True:
            self._follow()
            for slot in slots:
                self._map[slot] = os.urandom(STAMP_BYTES)
            if self._linked():  # otherwise others may already read a newer file
                return

    def _attach(self) -> tuple[int, mmap.mmap]:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            if os.fstat(descriptor).st_size < FILE_BYTES:
                _reserve(descriptor)
            words = mmap.mmap(descriptor, FILE_BYTES)
        except BaseException:
            os.close(descriptor)
            raise
        words[EPOCH] = os.urandom(STAMP_BYTES)
        return descriptor, words

    def _follow(self) -> None:
        if not self._linked():
            self.close()
            self._descriptor, self._map = self._attach()

    def _linked(self) -> bool:
        return os.fstat(self._descriptor).st_nlink > 0


def _reserve(descriptor: int) -> None:
    """Real blocks where possible: a write through a map into a hole of a full disk kills the process."""
    if sys.platform == "linux":
        os.posix_fallocate(descriptor, 0, FILE_BYTES)
    else:
        os.ftruncate(descriptor, FILE_BYTES)
