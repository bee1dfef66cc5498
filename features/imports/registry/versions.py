"""Versions of a row: QuestDB only appends, so a table may hold several, of which the newest counts."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from features.imports.registry.values import appended_at, as_moment

_NEVER: Final = datetime.min.replace(tzinfo=UTC)


class Versions:
    """Positions of each id's newest version: by `ts` or `designated_timestamp`, `updated_at`, then order."""

    def __init__(self) -> None:
        self._newest: dict[str, tuple[datetime, datetime, int]] = {}

    def add(self, position: int, values: Mapping[str, object]) -> bool:
        """Add a version; True if it is the newest of its id so far."""
        if (key := _key(values)) is None:
            return False
        updated_at = as_moment(values.get("updated_at")) or _NEVER
        place = (appended_at(values) or _NEVER, updated_at, position)
        self._newest[key] = max(self._newest.get(key, place), place)
        return self._newest[key] == place

    def newest(self, values: Mapping[str, object]) -> int | None:
        """Position of the newest version; None for a row without an id."""
        key = _key(values)
        return None if key is None else self._newest[key][2]


class Names:
    """Owners of names that several systems have: the one created first, then that of the least id. Neither a
    new version nor another order of the rows gives the name to another.
    """

    def __init__(self) -> None:
        self._newest: dict[str, tuple[str, datetime]] = {}

    def add(self, values: Mapping[str, object]) -> None:
        """Add the newest version of a row so far."""
        created_at = as_moment(values.get("created_at")) or _NEVER
        self._newest[str(values["id"])] = (str(values.get("name") or ""), created_at)

    def owners(self) -> dict[str, str]:
        """Ids of the owners by name."""
        first = sorted((created_at, key, name) for key, (name, created_at) in self._newest.items())
        return {name: key for _, key, name in reversed(first)}


def _key(values: Mapping[str, object]) -> str | None:
    found = values.get("id")
    return None if found is None or found == "" else str(found)
