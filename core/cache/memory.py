"""Entries in the memory of this process, bounded by entries and by bytes; the least recently used make room.

Whether an entry may still be used is for the cache to say: it carries all that has to be compared.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from core.cache import metrics
from core.cache.policy import LARGEST_SHARE, Entry

OVERHEAD_BYTES: Final = 900
"""Bytes of an entry beside its text: the objects around it, measured roughly."""


@dataclass(frozen=True, slots=True)
class Kept:
    """`noted` are the tag versions that its reader noted before it looked anywhere. Times are those of
    `time.monotonic`, which all processes of a host share.
    """

    entry: Entry
    policy: str
    noted: bytes
    expires_at: float
    stale_until: float


class MemoryTier:
    """With `max_bytes` 0 it keeps nothing."""

    def __init__(self, max_entries: int, max_bytes: int) -> None:
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._kept: OrderedDict[bytes, Kept] = OrderedDict()
        self._bytes = 0

    def get(self, digest: bytes) -> Kept | None:
        kept = self._kept.get(digest)
        if kept is not None:
            self._kept.move_to_end(digest)
        return kept

    def keep(self, digest: bytes, kept: Kept) -> None:
        size = _size(kept)
        if size > self._max_bytes // LARGEST_SHARE:
            self.drop(digest)
        else:
            self._remove(digest)
            while self._kept and (
                len(self._kept) >= self._max_entries or self._bytes + size > self._max_bytes
            ):
                self._remove(next(iter(self._kept)))
                metrics.evictions.inc()
            self._kept[digest] = kept
            self._bytes += size
            self._show()

    def drop(self, digest: bytes) -> None:
        if digest in self._kept:
            self._remove(digest)
            self._show()

    def clear(self) -> None:
        self._kept.clear()
        self._bytes = 0
        self._show()

    def _remove(self, digest: bytes) -> None:
        kept = self._kept.pop(digest, None)
        if kept is not None:
            self._bytes -= _size(kept)

    def _show(self) -> None:
        metrics.entries.set(len(self._kept))
        metrics.used_bytes.set(self._bytes)


def _size(kept: Kept) -> int:
    return len(kept.entry.body) + len(kept.entry.etag) + OVERHEAD_BYTES
