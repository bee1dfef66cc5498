"""QuestDB only appends: a table may hold a row in several versions, of which the newest is the row."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from features.imports.registry.values import as_moment

_NEVER: Final = datetime.min.replace(tzinfo=UTC)


class Versions:
    """The place of each id's newest version: by `ts` or `designated_timestamp`, then `updated_at`, then
    order.
    """

    def __init__(self) -> None:
        self._newest: dict[str, tuple[datetime, datetime, int]] = {}

    def add(self, position: int, values: Mapping[str, object]) -> None:
        if (key := _key(values)) is None:
            return
        appended_at = as_moment(values.get("ts") or values.get("designated_timestamp")) or _NEVER
        place = (appended_at, as_moment(values.get("updated_at")) or _NEVER, position)
        self._newest[key] = max(self._newest.get(key, place), place)

    def newest(self, values: Mapping[str, object]) -> int | None:
        """The place of the version that counts; None for a row without an id."""
        key = _key(values)
        return None if key is None else self._newest[key][2]


def _key(values: Mapping[str, object]) -> str | None:
    found = values.get("id")
    return None if found is None or found == "" else str(found)
