"""Content of a LowDB file: the current items, in the layout of the newest imported file."""

from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from typing import Final

from core.database.client import Database
from features.exports.schemas import NAMED, Result
from features.imports import api as imports

_SPACE: Final = " \t\n\r"
_ITEMS_AT_ONCE: Final = 500
_AS_THE_FILE: Final = "is written as the file has it, which could not be taken over; it has not changed here"
_AS_HERE: Final = "is written as it is here, where it has changed; the file's record could not be taken over"


class Content:
    """Iterator over the file's text, piece by piece, which counts in `result` what it contains.

    `tx` must see one snapshot. The order is that of the newest import; items that it did not have come at the
    end, the oldest first, as the old server added them. Records of earlier files that could not be taken over
    stand where they were: after the same record. An id occurs once, unless the file itself had it twice.
    """

    def __init__(self, tx: Database, result: Result) -> None:
        self._tx = tx
        self._result = result
        self._margin = ""
        self._position = 0
        self._seen = imports.SeenIds()
        self._layout = imports.Layout(None)
        self._usable: imports.SeenIds | None = None
        self._leftovers: defaultdict[str | None, list[str]] = defaultdict(list)

    async def __aiter__(self) -> AsyncIterator[str]:
        self._layout = await imports.newest_layout(self._tx)
        await self._find_leftovers()
        async for head in self._layout.head(self._tx):
            self._margin = self._margin or imports.margin_of(head)
            yield head
        yield self._left_after(None)
        async for chunk in self._layout.chunks(self._tx):
            yield await self._chunk(chunk)
        async for ids in imports.ITEMS.every_id(self._tx):
            new = [item_id for item_id in ids if item_id not in self._seen]
            for start in range(0, len(new), _ITEMS_AT_ONCE):
                yield await self._others(new[start : start + _ITEMS_AT_ONCE])
        for after in list(self._leftovers):
            yield self._left_after(after)
        was_empty = self._position == 0
        adapted = was_empty == (self._result.records > 0)
        if was_empty and adapted:
            yield f"\n{self._margin[:-2]}"
        async for tail in self._layout.tail(self._tx):
            # An empty list has nothing between its brackets.
            yield (text := tail.lstrip(_SPACE) if adapted else tail)
            adapted = adapted and not text

    async def _find_leftovers(self) -> None:
        """Collect records that earlier files had and that could not be taken over, unless the newest file or
        an item has their id.
        """
        leftovers = await self._layout.leftovers(self._tx)
        ids = [each.id for each in leftovers if each.id is not None]
        settled = set(await imports.ITEMS.existing(self._tx, ids)) if ids else set()
        if ids:
            async for chunk in self._layout.chunks(self._tx):
                settled.update(entry[0] for entry in chunk if entry[0] is not None)
        for each in leftovers:
            if each.id not in settled:
                self._leftovers[each.after].append(each.text)

    async def _chunk(self, chunk: Sequence[imports.Entry]) -> str:
        parts: list[str] = []
        for start in range(0, len(chunk), _ITEMS_AT_ONCE):
            entries = chunk[start : start + _ITEMS_AT_ONCE]
            stored = await imports.records(self._tx, [entry[0] for entry in entries if entry[0] is not None])
            decided = await self._decided(entries, stored)
            for entry in entries:
                text = self._text(entry, stored, decided)
                if text is not None:
                    parts.append(self._record(text, entry[3]))
                self._position += 1
                parts.append(self._left_after(entry[0]) if entry[0] is not None else "")
        return "".join(parts)

    def _record(self, text: str, lead: str | None = None) -> str:
        """Text of a record behind the text before it, with a comma if another record precedes it."""
        lead = imports.lead_of(self._margin, first=False) if lead is None else lead
        if self._result.records == 0:
            lead = lead.replace(",", "")
        elif "," not in lead:
            lead = f",{lead}"
        self._result.records += 1
        return lead + text

    async def _decided(
        self, entries: Sequence[imports.Entry], stored: dict[str, imports.LegacyItem]
    ) -> dict[str, bool]:
        """Ids whose records could not be taken over and whose items are here: True if those have changed. Not
        ids that the file has in a usable record elsewhere.
        """
        unusable = [item_id for item_id, digest, _, _ in entries if item_id in stored and digest is None]
        if not unusable:
            return {}
        if self._usable is None:
            self._usable = await self._layout.ids(self._tx)
        wanted = [item_id for item_id in unusable if item_id not in self._usable]
        states = await imports.ITEMS.states(self._tx, wanted)
        return {item_id: not state.unchanged for item_id, state in states.items()}

    def _text(
        self, entry: imports.Entry, stored: dict[str, imports.LegacyItem], decided: dict[str, bool]
    ) -> str | None:
        """Text of a record, None if its item was deleted."""
        item_id, digest, text, _ = entry
        if item_id is None or (digest is None and item_id not in decided):
            self._result.unusable += 1
            return text or ""
        self._seen.add(item_id, 0)
        item = stored.get(item_id)
        if item is None:
            self._result.removed += 1
            return None
        if digest is None:
            reason = _AS_HERE if decided[item_id] else _AS_THE_FILE
            if len(self._result.first_decided) < NAMED:
                self._result.first_decided.append(imports.RowReason(id=item_id, reason=reason))
            if not decided[item_id]:
                self._result.unusable += 1
                return text or ""
            self._result.replaced += 1
            return imports.written(item, self._margin)
        if imports.digest_of(item.row()) == digest:
            self._result.unchanged += 1
            return text or imports.written(item, self._margin)
        self._result.changed += 1
        return imports.written(item, self._margin, text)

    def _left_after(self, item_id: str | None) -> str:
        """Text of the leftovers after the record with this id."""
        left = self._leftovers.pop(item_id, [])
        self._result.unusable += len(left)
        return "".join(map(self._record, left))

    async def _others(self, ids: Sequence[str]) -> str:
        """Texts of items that the newest file did not have: of those that vanished from it, and new ones."""
        stored = await imports.records(self._tx, ids)
        for state in (await imports.ITEMS.states(self._tx, ids)).values():
            self._result.added += state.added
            self._result.unchanged += state.unchanged
            self._result.changed += not (state.added or state.unchanged)
        texts = ((item_id, imports.written(stored[item_id], self._margin)) for item_id in ids)
        return "".join(self._record(text) + self._left_after(item_id) for item_id, text in texts)
