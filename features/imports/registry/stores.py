"""Schema of a source, recognized by the columns of its tables."""

from collections.abc import Mapping, Sequence

from features.imports.errors import SchemaUnknown
from features.imports.registry.columns import STORES, Column
from features.imports.registry.tables import AUDIT, LEGACY
from features.imports.schemas import Store, Table


def recognized(source: str, columns: Mapping[Table, Sequence[str]]) -> Store:
    """Schema of tables with these columns. Raises SchemaUnknown when they are of several schemas, or one
    lacks columns without which none of its rows could be taken over.
    """
    first = [table for table, names in columns.items() if table != AUDIT and _is_first(table, names)]
    later = [table for table in columns if table != AUDIT and table not in first]
    for table, names in columns.items():
        required = {name for name, each in _known(table, names).items() if each.required}
        if missing := sorted(required.difference(names)):
            raise SchemaUnknown(f"{table} lacks {', '.join(missing)}; export the whole table")
        created, appended = LEGACY[table].by_name["created_at"], LEGACY[table].columns[-1]
        if source == "questdb" or table == AUDIT:
            designated(table, names)
        elif not {created.name_among(names), appended.name_among(names)}.intersection(names):
            raise SchemaUnknown(
                f"{table} has neither {created.name} nor {appended.name}; export the whole table"
            )
    if first and later:
        raise SchemaUnknown(
            f"{', '.join(first)} has the first schema (with ts), {', '.join(later)} a later one; "
            "import the tables of one registry at a time"
        )
    return "questdb-1" if first else "postgres" if source == "postgres" else "questdb-2"


def unknown(columns: Mapping[Table, Sequence[str]]) -> dict[str, list[str]]:
    """Columns of each table that its schema does not have."""
    found = {
        table: [name for name in names if name not in _known(table, names)]
        for table, names in columns.items()
    }
    return {table: names for table, names in found.items() if names}


def designated(table: Table, names: Sequence[str]) -> str:
    """Name of the column with the time at which a row's version was appended. Raises SchemaUnknown."""
    appended = LEGACY[table].columns[-1]
    if (found := appended.name_among(names)) in names:
        return found
    raise SchemaUnknown(f"{table} has neither ts nor {appended.name}; export the whole table")


def _known(table: Table, names: Sequence[str]) -> dict[str, Column]:
    """Columns by their names in the schema that a table with these has."""
    stores: Sequence[Store] = STORES[:1] if _is_first(table, names) else STORES[1:]
    return {
        each.name_in(store): each
        for store in stores
        for each in LEGACY[table].columns
        if store in each.stores
    }


def _is_first(table: Table, names: Sequence[str]) -> bool:
    return table != AUDIT and "ts" in names
