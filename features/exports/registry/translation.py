"""Translation of rows back to the schema that they came from: the importer's, reversed and checked by it.

A row that is as its import left it gets the source's own values where `legacy` keeps them. Of any other row a
kept value is used as long as the importer would still make of it what the row says now.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from features.imports import api as imports
from features.imports.api import AUDIT, FILES, IDEAS, SYSTEMS, Store, Table

Words = Mapping[tuple[Table, str], Mapping[str, str]]

_COLUMNS: Final[Mapping[Table, Mapping[str, str]]] = {
    SYSTEMS: {},
    IDEAS: {},
    FILES: {
        "stored_name": "filename",
        "uploaded_at": "created_at",
        "size": "size_bytes",
    },
    AUDIT: {
        "entity_type": "entity",
        "user_id": "actor",
        "ip_address": "client",
        "ts": "at",
        "created_at": "at",
    },
}
"""Columns here by those of the source, where the names differ."""
_VERSIONS: Final = ("ts", "designated_timestamp")
_LINKS: Final = frozenset({"system_id", "idea_id"})

_ACTIONS: Final = {"created": "create", "updated": "update", "deleted": "delete", "checked": "update"}
_IDEA_STATUS: Final = {"new": "backlog", "completed": "done"}
_FIRST: Final[Words] = {
    (SYSTEMS, "status"): {"planned": "offline"},
    (IDEAS, "status"): {
        **_IDEA_STATUS,
        "triage": "backlog",
        "review": "in_progress",
        "rejected": "cancelled",
    },
    (IDEAS, "priority"): {"critical": "urgent"},
    (IDEAS, "category"): dict.fromkeys(("docs", "automation", "dashboard", "infrastructure"), "guide"),
    (AUDIT, "action"): _ACTIONS,
}
_LATER: Final[Words] = {
    (SYSTEMS, "status"): {"degraded": "error", "planned": "unknown"},
    (IDEAS, "status"): {**_IDEA_STATUS, "triage": "todo", "rejected": "backlog"},
    (IDEAS, "priority"): {"critical": "urgent"},
    (IDEAS, "category"): {
        "docs": "content",
        "api": "bug_fix",
        "infrastructure": "structure",
        "automation": "new_feature",
        "dashboard": "new_feature",
    },
    (AUDIT, "action"): _ACTIONS,
}
"""The old word for each new one that the old store did not have; the nearest where there is none."""


class Old(NamedTuple):
    """Row in the source's columns. `lost`: the reason by column for what the old schema cannot say."""

    values: dict[str, object]
    lost: dict[str, str]


def old_row(
    table: Table, store: Store, columns: Sequence[str], row: Mapping[str, object], *, unchanged: bool
) -> Old:
    """Row as the old store would have it. `row` has no `legacy` but as parsed JSON."""
    legacy = row.get("legacy") or {}
    assert isinstance(legacy, dict)
    fields, original = legacy.get("fields", {}), legacy.get("original", {})
    kept = {name: value for name, value in {**fields, **original}.items() if name in columns}
    words: Words = {} if unchanged else _FIRST if store == "questdb-1" else _LATER
    plain = {name: _plain(table, store, name, row, words) for name in columns}
    if unchanged:
        return Old({**plain, **kept}, {})
    values = {**plain, **kept}
    source = {_here(table, name): name for name in columns}
    # A link that is null keeps what it was, as an import does that finds nothing there.
    links = {name for name in _LINKS if name in original and row.get(name) is None}
    for here in _differing(table, values, row) - links:
        if here in source:
            values[source[here]] = plain[source[here]]
    lost = {}
    for here in sorted(_differing(table, values, row) - links):
        name = source.get(here)
        written = "there is no column for it" if name is None else f"written as {_text(values[name])}"
        lost[name or here] = f"{_text(row[here])} cannot be said in the old schema; {written}"
    return Old(values, lost)


def _differing(table: Table, values: Mapping[str, object], row: Mapping[str, object]) -> set[str]:
    """Columns here of which the importer would make something else than the row says."""
    candidate = imports.translate(table, 0, values)
    while table == SYSTEMS and candidate.renamed < 2 and candidate.row["name"] != row["name"]:
        candidate.rename()
    return {
        here
        for here, value in candidate.row.items()
        if value != row[here] and (here != "updated_at" or here in values)
    }


def _here(table: Table, name: str) -> str:
    return _COLUMNS[table].get(name, name)


def _plain(table: Table, store: Store, name: str, row: Mapping[str, object], words: Words) -> object:
    value = row.get(_here(table, name))
    if name in _VERSIONS and value is None:
        value = row.get("updated_at") or row["created_at"]
    known = words.get((table, name))
    if known is not None and isinstance(value, str):
        return known.get(value, value)
    if name in _VERSIONS or name.endswith("_at") or name in ("last_checked", "due_date"):
        return None if value is None else f"{str(value)[:-1]}000Z"
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if value == [] and store == "questdb-1":
        return None
    if isinstance(value, list) and store == "questdb-1":
        joined = ",".join(value)
        again = imports.translate(table, 0, {"tags": joined}).row.get("tags")
        return joined if again == value else value
    return value


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
