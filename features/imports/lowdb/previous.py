"""What the previous import found in the source: which ids with which content."""

from collections.abc import Iterable
from typing import Final

from features.imports.lowdb.identifiers import SeenIds

_DIGEST_BYTES: Final = 32


class Previous:
    """Ids and digests in about 65 bytes for each, and which of them have been asked for."""

    def __init__(self) -> None:
        self._ids = SeenIds()
        self._digests = bytearray()
        self._asked = bytearray()

    def __len__(self) -> int:
        return len(self._ids)

    def add(self, records: Iterable[tuple[str, str]]) -> None:
        """Remember (id, digest) of each; no id twice."""
        for identifier, digest in records:
            self._ids.add(identifier, len(self._ids))
            self._digests += bytes.fromhex(digest)
            self._asked.append(0)

    def digest_of(self, identifier: str) -> str | None:
        """None: the source did not have it. It counts as asked for."""
        place = self._ids.find(identifier)
        if place is None:
            return None
        self._asked[place] = 1
        return self._digests[place * _DIGEST_BYTES : (place + 1) * _DIGEST_BYTES].hex()

    @property
    def vanished(self) -> int:
        """How many nobody has asked for."""
        return self._asked.count(0)

    def was_asked_for(self, place: int) -> bool:
        """About the record that was added as number `place`."""
        return bool(self._asked[place])
