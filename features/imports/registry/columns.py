"""Schemas of the old registry: three, told apart by the columns of their tables.

The third one, PostgreSQL, is the second with more columns: both are read alike.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from features.imports.errors import SchemaUnknown
from features.imports.registry.tables import AUDIT, FILES, LEGACY, SYSTEMS
from features.imports.schemas import Store, Table

_ONLY_POSTGRES: Final[Mapping[str, str]] = {SYSTEMS: "icon color host port created_by", FILES: "checksum"}


def columns_of(store: Store, table: Table) -> list[str]:
    """Columns of the table in a registry of that store, in their order."""
    known = LEGACY[table].first if store == "questdb-1" else LEGACY[table].later
    others = _ONLY_POSTGRES.get(table, "").split() if store == "questdb-2" else []
    if table == AUDIT:
        others = ["ts" if store == "postgres" else "created_at"]
    return [name for name in known if name not in others]


def recognized(source: str, columns: Mapping[Table, Sequence[str]]) -> Store:
    """Schema of tables with these columns. Raises SchemaUnknown when they are of several schemas, or one
    lacks a required column.
    """
    first: list[str] = []
    later: list[str] = []
    for table, names in columns.items():
        if table != AUDIT:
            (first if _is_first(table, names) else later).append(table)
        required = {name for name, needed in _known(table, names).items() if needed}
        if missing := sorted(required.difference(names)):
            raise SchemaUnknown(f"{table} lacks {_listed(missing)}; export the whole table")
        if source == "questdb" or table == AUDIT:
            designated(table, names)
    if first and later:
        raise SchemaUnknown(
            f"{_listed(first)} has the first schema (with ts), {_listed(later)} a later one; "
            "import the tables of one registry at a time"
        )
    return "questdb-1" if first else "postgres" if source == "postgres" else "questdb-2"


def unknown(columns: Mapping[Table, Sequence[str]]) -> dict[str, list[str]]:
    """Columns of each table that its schema does not have."""
    found: dict[str, list[str]] = {}
    for table, names in columns.items():
        if more := [name for name in names if name not in _known(table, names)]:
            found[table] = more
    return found


def designated(table: Table, columns: Sequence[str]) -> str:
    """Name of the column with the time at which a row's version was appended. Raises SchemaUnknown."""
    choices = ("ts", "created_at") if table == AUDIT else ("ts", "designated_timestamp")
    found = next((column for column in choices if column in columns), None)
    if found is None:
        raise SchemaUnknown(f"{table} has neither {choices[0]} nor {choices[1]}; export the whole table")
    return found


def _known(table: Table, columns: Sequence[str]) -> Mapping[str, bool]:
    return LEGACY[table].first if _is_first(table, columns) else LEGACY[table].later


def _is_first(table: Table, columns: Sequence[str]) -> bool:
    return table != AUDIT and "ts" in columns


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names)
