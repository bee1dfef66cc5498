"""Ids and digests of the records that earlier imports found in their sources."""

from collections.abc import AsyncIterator, Sequence
from typing import Final

from core.database.client import Database
from features.imports.pipeline.identifiers import SeenIds
from features.imports.queries import journal
from features.imports.schemas import kept, remembered

_DIGEST_BYTES: Final = 32
UNSEEN: Final = 0
FOUND: Final = 1
UNUSABLE: Final = 2


class Previous:
    """Ids and digests of earlier records in about 65 bytes each, and which of them the current source has."""

    def __init__(self) -> None:
        self._ids = SeenIds()
        self._digests = bytearray()
        self._states = bytearray()

    def add(self, identifier: str, digest: str) -> None:
        """Add a record, unless the id is known already."""
        if self._ids.add(identifier, len(self._ids)) is None:
            self._digests += bytes.fromhex(digest)
            self._states.append(UNSEEN)

    def digest_of(self, identifier: str) -> str | None:
        """Digest of the id in an earlier source, or None. Marks the id as found in the current one."""
        place = self._ids.find(identifier)
        if place is None:
            return None
        self._states[place] = FOUND
        return self._digests[place * _DIGEST_BYTES : (place + 1) * _DIGEST_BYTES].hex()

    def is_unusable(self, identifier: str) -> None:
        """Mark the id as present in the current source, but unusable."""
        place = self._ids.find(identifier)
        if place is not None and self._states[place] == UNSEEN:
            self._states[place] = UNUSABLE

    def state_of(self, identifier: str) -> int:
        """State of an earlier record in the current source: UNSEEN, FOUND, or present but UNUSABLE."""
        place = self._ids.find(identifier)
        return FOUND if place is None else self._states[place]


async def known(db: Database, runs: Sequence[str], entity: str) -> AsyncIterator[list[tuple[str, str]]]:
    """Batches of (id, digest) of the records that these imports, newest first, found in their sources; of an
    id in several of them the first one counts. A record whose row an import left as it was, although they
    differ, does not count for it. An import that remembers for the earlier ones ends it.
    """
    for job_id in runs:
        remembers, left = False, SeenIds()
        async for chunk in journal.chunks(db, job_id, kept(entity)):
            for entry in chunk.entries:
                left.add(entry[0] or "", 0)
        for part in (entity, remembered(entity)):
            async for chunk in journal.chunks(db, job_id, part):
                remembers = part != entity
                yield [
                    (entry[0], entry[1])
                    for entry in chunk.entries
                    if entry[0] and entry[1] and (part != entity or entry[0] not in left)
                ]
        if remembers:
            return


async def recall(db: Database, runs: Sequence[str], entity: str) -> Previous:
    previous = Previous()
    async for some in known(db, runs, entity):
        for identifier, digest in some:
            previous.add(identifier, digest)
    return previous
