"""The text of a LowDB file: the items of now, in the file that was imported last."""

from collections.abc import AsyncIterator, Sequence
from typing import Final

from core.database.client import Database
from features.exports.schemas import Result
from features.imports import api as imports
from features.items import api as items

_SPACE: Final = " \t\n\r"
_ITEMS_AT_ONCE: Final = 500


class Content:
    """Iterates over the text, piece by piece, and counts in `result` what it holds.

    `tx` must see one snapshot. The order is that of the newest import; what it did not have comes at the end,
    the oldest first, as the old server added it.
    """

    def __init__(self, tx: Database, result: Result) -> None:
        self._tx = tx
        self._result = result
        self._margin = ""
        self._position = 0
        self._seen = imports.SeenIds()

    async def __aiter__(self) -> AsyncIterator[str]:
        layout = await imports.newest_layout(self._tx)
        async for head in layout.head(self._tx):
            self._margin = self._margin or imports.margin_of(head)
            yield head
        async for page in layout.pages(self._tx):
            yield await self._page(page)
        async for ids in items.every_id(self._tx):
            new = [item_id for item_id in ids if item_id not in self._seen]
            for start in range(0, len(new), _ITEMS_AT_ONCE):
                yield await self._added(new[start : start + _ITEMS_AT_ONCE])
        was_empty = self._position == 0
        adapted = was_empty == (self._result.records > 0)
        if was_empty and adapted:
            yield f"\n{self._margin[:-2]}"
        async for tail in layout.tail(self._tx):
            # An empty list has nothing between its brackets.
            yield (text := tail.lstrip(_SPACE) if adapted else tail)
            adapted = adapted and not text

    async def _page(self, page: Sequence[imports.Entry]) -> str:
        parts: list[str] = []
        for start in range(0, len(page), _ITEMS_AT_ONCE):
            entries = page[start : start + _ITEMS_AT_ONCE]
            stored = await items.records(self._tx, [entry[0] for entry in entries if entry[0] is not None])
            for entry in entries:
                if (text := self._text(entry, stored)) is not None:
                    usual = imports.lead_of(self._margin, first=self._position == 0)
                    lead = usual if entry[3] is None else entry[3]
                    parts += (lead if self._result.records else lead.replace(",", ""), text)
                    self._result.records += 1
                self._position += 1
        return "".join(parts)

    def _text(self, entry: imports.Entry, stored: dict[str, items.LegacyItem]) -> str | None:
        """None: it is gone."""
        item_id, digest, text, _ = entry
        if item_id is None:
            self._result.unusable += 1
            return text
        self._seen.add(item_id, 0)
        item = stored.get(item_id)
        if item is None:
            self._result.removed += 1
            return None
        if items.canonical_digest(item.row()) == digest:
            self._result.unchanged += 1
            return text or imports.written(item, self._margin)
        self._result.changed += 1
        return imports.written(item, self._margin, text)

    async def _added(self, ids: Sequence[str]) -> str:
        parts: list[str] = []
        stored = await items.records(self._tx, ids)
        for item_id in ids:
            first = self._result.records == 0
            parts += (
                imports.lead_of(self._margin, first=first),
                imports.written(stored[item_id], self._margin),
            )
            self._result.records += 1
            self._result.added += 1
        return "".join(parts)
