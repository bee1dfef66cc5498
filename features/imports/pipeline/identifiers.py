"""Compact set of seen ids, about 30 bytes for each."""

import secrets
from array import array
from collections.abc import Sequence
from typing import Final

_FIRST_SLOTS: Final = 1 << 14


class SeenIds:
    """Set of ids with the position at which each was seen first.

    A dict of a million ids takes 180 MB, half of what a whole import may use. This keeps two keyed 64-bit
    hashes of each id instead of its text, in one open-addressed table; two different ids with the same 128
    bits are less likely than a broken disk.
    """

    def __init__(self) -> None:
        self._salt = secrets.token_hex(8)
        self._slots = array("i", bytes(4 * _FIRST_SLOTS))
        self._mask = _FIRST_SLOTS - 1
        self._first = array("q")
        self._second = array("q")
        self._positions = array("I")

    def __len__(self) -> int:
        return len(self._first)

    def __contains__(self, identifier: str) -> bool:
        return self.find(identifier) is not None

    def find(self, identifier: str) -> int | None:
        """Position at which the id was seen first, or None."""
        entry = self._slots[self._slot_of(identifier)]
        return self._positions[entry - 1] if entry else None

    def add(self, identifier: str, position: int) -> int | None:
        """Add the id. If it was seen before, nothing changes and the result is its first position."""
        slot = self._slot_of(identifier)
        if entry := self._slots[slot]:
            return self._positions[entry - 1]
        self._put(slot, identifier, position)
        self._make_room(1)
        return None

    def add_all(self, identifiers: Sequence[str], position: int) -> bool:
        """Add all ids, the first at `position`, the next one behind it. If one was seen before, or comes
        twice, nothing changes and the result is False.
        """
        self._make_room(len(identifiers))
        before, taken = len(self), list[int]()
        for place, identifier in enumerate(identifiers, start=position):
            slot = self._slot_of(identifier)
            if self._slots[slot]:
                break
            self._put(slot, identifier, place)
            taken.append(slot)
        else:
            return True
        for slot in taken:
            self._slots[slot] = 0
        del self._first[before:], self._second[before:], self._positions[before:]
        return False

    def _put(self, slot: int, identifier: str, position: int) -> None:
        self._first.append(hash(identifier))
        self._second.append(hash(self._salt + identifier))
        self._positions.append(position)
        self._slots[slot] = len(self._first)

    def _slot_of(self, identifier: str) -> int:
        """Index of the slot that the id has, or would get."""
        first = hash(identifier)
        slots, mask = self._slots, self._mask
        slot = first & mask
        while entry := slots[slot]:
            if self._first[entry - 1] == first and self._second[entry - 1] == hash(self._salt + identifier):
                break
            slot = (slot + 1) & mask
        return slot

    def _make_room(self, more: int) -> None:
        mask = self._mask
        while (len(self) + more) * 2 > mask:
            mask = (mask + 1) * 4 - 1
        if mask == self._mask:
            return
        slots = array("i", bytes(4 * (mask + 1)))
        for entry, first in enumerate(self._first, start=1):
            slot = first & mask
            while slots[slot]:
                slot = (slot + 1) & mask
            slots[slot] = entry
        self._slots, self._mask = slots, mask
