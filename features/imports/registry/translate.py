"""Translation of rows, there and back: the importer's, and its reverse, which is checked by it.

A row that is as its import left it gets the source's own values where `legacy` keeps them. Of any other row a
kept value is used as long as the importer would still make of it what the row says now.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from features.imports.queries.digests import Value
from features.imports.registry.tables import LEGACY, SYSTEMS
from features.imports.registry.values import Old, appended_at
from features.imports.schemas import Store, Table
from features.systems import api as systems


@dataclass(slots=True)
class Candidate:
    """Row being translated. `old` keeps the source's values until the row is written; `said` is its line as
    the source has it, whatever is stored here.
    """

    old: Old
    row: dict[str, Value]
    renamed: int = 0
    said: bytes = b""

    @property
    def id(self) -> str:
        return str(next(iter(self.row.values())))

    def unlink(self, column: str) -> None:
        """Remove a link to a row that does not exist; the id that it named stays in `legacy`."""
        self.row[column] = None
        self.old.adapt(column)

    def rename(self) -> None:
        """Rename a system whose name another one has: append its id, or a number too when called again. The
        old name stays in `legacy`.
        """
        self.renamed += 1
        suffix = f" ({self.id})" if self.renamed == 1 else f" ({self.id}, {self.renamed})"
        name = str(self.old.values["name"])
        self.row["name"] = name[: systems.STORED_NAME_LENGTH - len(suffix)] + suffix
        self.old.adapt("name")

    def finished(self) -> dict[str, Value]:
        return {**self.row, "legacy": self.old.legacy()}


class OldRow(NamedTuple):
    """Row in the source's columns. `lost`: the reason by column for what the old schema cannot say."""

    values: dict[str, object]
    lost: dict[str, str]


def translate(table: Table, values: Mapping[str, object]) -> Candidate:
    """Candidate made of an old row; if it cannot be a row, `old` has the faults. Of files it lacks what only
    the bytes can tell.
    """
    legacy, old = LEGACY[table], Old(values)
    row = {here: reader(old, column.name_among(values)) for here, (column, reader) in legacy.readers.items()}
    legacy.finish(old, row)
    return Candidate(old, row)


def old_row(
    table: Table,
    store: Store,
    columns: Sequence[str],
    row: Mapping[str, object],
    left: Mapping[str, object] | None = None,
    *,
    unchanged: bool = False,
) -> OldRow:
    """Row as the old store would have it. `row` has no `legacy` but as parsed JSON. `left`: what is known of
    the row as its import left it; None for one that was made here.
    """
    legacy = row.get("legacy") or {}
    assert isinstance(legacy, dict)
    original = legacy.get("original", {})
    source = {**legacy.get("fields", {}), **original}
    # Of the source's own row a time that it never had is not made up, unless it had one by another name.
    timed = left is None or appended_at(source) is not None
    plain = {name: _plain(table, store, name, row, left or {}, timed=timed) for name in columns}
    values = {**plain, **{name: value for name, value in source.items() if name in columns}}
    names = {LEGACY[table].column(name).here: name for name in columns}
    unsaid = {here for here in LEGACY[table].unknown if row.get(here) is not None}
    if not unchanged:
        # A link that is null keeps what it was, as an import does that finds nothing there.
        parents = LEGACY[table].rows.declared.parents
        links = {name for name in parents if name in original and row.get(name) is None}
        for here in _differing(table, values, row) - links:
            if here in names:
                values[names[here]] = plain[names[here]]
        unsaid |= _differing(table, values, row) - links
    lost = {}
    for here in sorted(unsaid):
        name = names.get(here)
        written = "there is no column for it" if name is None else f"written as {_text(values[name])}"
        lost[name or here] = f"{_text(row[here])} cannot be said in the old schema; {written}"
    return OldRow(values, lost)


def _differing(table: Table, values: Mapping[str, object], row: Mapping[str, object]) -> set[str]:
    """Columns here of which the importer would make something else than the row says."""
    candidate = translate(table, values)
    while table == SYSTEMS and candidate.renamed < 2 and candidate.row["name"] != row["name"]:
        candidate.rename()
    return {
        here
        for here, value in candidate.row.items()
        if value != row[here] and (here != "updated_at" or here in values)
    }


def _plain(
    table: Table,
    store: Store,
    name: str,
    row: Mapping[str, object],
    left: Mapping[str, object],
    *,
    timed: bool,
) -> object:
    """Value of a column of which `legacy` keeps none."""
    legacy, column = LEGACY[table], LEGACY[table].column(name)
    value, kind = row.get(column.here), legacy.rows.declared.columns.get(column.here)
    if column is legacy.columns[-1] and value is None and timed:
        value, kind = row.get("updated_at") or row["created_at"], "moment"
    if value is not None and kind == "moment":
        return f"{str(value)[:-1]}000Z"
    # A word that the import left as it was, and nobody has changed since, is the source's own.
    if column.words is not None and left.get(column.here) != value:
        words = column.words.first if store == "questdb-1" else column.words.later
        return words.get(str(value), value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list) and store == "questdb-1":
        joined = ",".join(value)
        return None if not value else joined if Old({name: joined}).texts(name) == value else value
    return value


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
