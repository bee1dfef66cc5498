"""Schemas of the old registry: three, told apart by the columns of their tables.

The third one, PostgreSQL, is the second with more columns: both are read alike.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from features.imports.errors import SchemaUnknown
from features.imports.registry.schemas import AUDIT, FILES, IDEAS, SYSTEMS, Source, Store, Table

_Columns = Mapping[Table, list[str]]


def _named(systems: str, ideas: str, files: str, log: str) -> _Columns:
    columns = {SYSTEMS: systems, IDEAS: ideas, FILES: files, AUDIT: log}
    return {table: names.split() for table, names in columns.items()}  # type: ignore[misc]


_LOG: Final = "id entity_type entity_id action user_id changes ip_address user_agent ts created_at"
_FIRST: Final = _named(
    "id name description status port host url icon color tags created_at updated_at ts",
    "id title description status category priority tags created_by assigned_to created_at updated_at "
    "completed_at ts",
    "id idea_id original_name stored_name size mime_type storage_path checksum uploaded_by uploaded_at ts",
    _LOG,
)
_LATER: Final = _named(
    "id name description type url status last_checked response_time_ms version owner tags metadata icon "
    "color host port created_by created_at updated_at designated_timestamp",
    "id title description status category priority assigned_to created_by system_id tags estimated_hours "
    "actual_hours due_date created_at updated_at completed_at designated_timestamp",
    "id filename original_name mime_type size_bytes file_path description idea_id system_id uploaded_by "
    "is_public download_count checksum created_at updated_at designated_timestamp",
    _LOG,
)
_ONLY_POSTGRES: Final[Mapping[Table, str]] = {SYSTEMS: "icon color host port created_by", FILES: "checksum"}
_REQUIRED_FIRST: Final = _named(
    "id name status",
    "id title status category priority",
    "id original_name stored_name storage_path",
    "id entity_type entity_id action",
)
_REQUIRED_LATER: Final = _named(
    "id name status",
    "id title status category priority",
    "id filename original_name file_path",
    "id entity_type entity_id action",
)


def columns_of(store: Store, table: Table) -> list[str]:
    """Columns of the table in a registry of that store, in their order."""
    known = (_FIRST if store == "questdb-1" else _LATER)[table]
    more = _ONLY_POSTGRES.get(table, "").split() if store == "questdb-2" else []
    if table == AUDIT:
        more = ["ts" if store == "postgres" else "created_at"]
    return [name for name in known if name not in more]


def recognized(source: Source, columns: Mapping[Table, Sequence[str]]) -> Store:
    """Schema of tables with these columns. Raises SchemaUnknown when they are of several schemas, or one
    lacks a required column.
    """
    first: list[str] = []
    later: list[str] = []
    for table, names in columns.items():
        if table != AUDIT:
            (first if _is_first(table, names) else later).append(table)
        required = _REQUIRED_FIRST if _is_first(table, names) else _REQUIRED_LATER
        if missing := sorted(set(required[table]).difference(names)):
            raise SchemaUnknown(f"{table} lacks {_listed(missing)}; export the whole table")
        if source == "questdb" or table == AUDIT:
            designated(table, names)
    if first and later:
        raise SchemaUnknown(
            f"{_listed(first)} has the first schema (with ts), {_listed(later)} a later one; "
            "import the tables of one registry at a time"
        )
    return "questdb-1" if first else "postgres" if source == "postgres" else "questdb-2"


def unknown(columns: Mapping[Table, Sequence[str]]) -> dict[Table, list[str]]:
    """Columns of each table that its schema does not have."""
    found: dict[Table, list[str]] = {}
    for table, names in columns.items():
        known = (_FIRST if _is_first(table, names) else _LATER)[table]
        if more := [name for name in names if name not in known]:
            found[table] = more
    return found


def designated(table: Table, columns: Sequence[str]) -> str:
    """Name of the column with the time at which a row's version was appended. Raises SchemaUnknown."""
    choices = ("ts", "created_at") if table == AUDIT else ("ts", "designated_timestamp")
    found = next((column for column in choices if column in columns), None)
    if found is None:
        raise SchemaUnknown(f"{table} has neither {choices[0]} nor {choices[1]}; export the whole table")
    return found


def _is_first(table: Table, columns: Sequence[str]) -> bool:
    return table != AUDIT and "ts" in columns


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names)
