"""Tables of the old registry, each one declaration: its columns, their translation, and the table here that
its rows go to.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Final

from core.database.import_table import Value
from features.imports.queries import tables
from features.imports.queries.bulk import BulkTable
from features.imports.registry.translate import Candidate, entry_row, file_row, idea_row, system_row
from features.imports.registry.values import Old
from features.imports.schemas import SOURCES, Table

KINDS: Final = (SOURCES["questdb"], SOURCES["postgres"])
SYSTEMS: Final = "documentation_systems"
IDEAS: Final = "documentation_ideas"
FILES: Final = "documentation_files"
AUDIT: Final = "documentation_audit_log"


@dataclass(frozen=True, slots=True)
class LegacyTable:
    """Table of the old registry. `first` and `later` are its columns in the first schema and in the later
    ones, with those that it cannot be without. Values of columns here that a source without them cannot know
    (`unsure`) stay as they are.
    """

    rows: BulkTable
    translate: Callable[[Old], dict[str, Value]]
    first: Mapping[str, bool]
    later: Mapping[str, bool]
    unsure: frozenset[str] = frozenset()


def _columns(names: str) -> dict[str, bool]:
    """Columns by name; True for required ones, which have a mark."""
    return {name.rstrip("!"): name.endswith("!") for name in names.split()}


_LOG: Final = _columns(
    "id! entity_type! entity_id! action! user_id changes ip_address user_agent ts created_at"
)
LEGACY: Final[dict[Table, LegacyTable]] = {
    SYSTEMS: LegacyTable(
        tables.SYSTEMS,
        system_row,
        _columns("id! name! description status! port host url icon color tags created_at updated_at ts"),
        _columns(
            "id! name! description type url status! last_checked response_time_ms version owner tags "
            "metadata icon color host port created_by created_at updated_at designated_timestamp"
        ),
        frozenset(
            {
                *("port", "category", "type", "owner", "version", "metadata", "icon", "color", "host"),
                *("last_checked", "response_time_ms"),
            }
        ),
    ),
    IDEAS: LegacyTable(
        tables.IDEAS,
        idea_row,
        _columns(
            "id! title! description status! category! priority! tags created_by assigned_to created_at "
            "updated_at completed_at ts"
        ),
        _columns(
            "id! title! description status! category! priority! assigned_to created_by system_id tags "
            "estimated_hours actual_hours due_date created_at updated_at completed_at designated_timestamp"
        ),
        frozenset({"system_id", "estimated_hours", "actual_hours", "due_date"}),
    ),
    FILES: LegacyTable(
        tables.FILES,
        file_row,
        _columns(
            "id! idea_id original_name! stored_name! size mime_type storage_path! checksum uploaded_by "
            "uploaded_at ts"
        ),
        _columns(
            "id! filename! original_name! mime_type size_bytes file_path! description idea_id system_id "
            "uploaded_by is_public download_count checksum created_at updated_at designated_timestamp"
        ),
        frozenset({"description", "system_id", "is_public", "download_count"}),
    ),
    AUDIT: LegacyTable(tables.ENTRIES, entry_row, _LOG, _LOG),
}
"""Tables in the order in which they are written, and their rows locked: each refers only to those before."""

TABLES: Final[tuple[Table, ...]] = tuple(LEGACY)
BY_NAME: Final[Mapping[str, Table]] = {each.rows.declared.name: table for table, each in LEGACY.items()}
"""Tables by the name of those that their rows go to."""


def table_of(table: Table, columns: Collection[str]) -> BulkTable:
    """Table that the rows of a source with these columns go to."""
    return LEGACY[table].rows.without(LEGACY[table].unsure.difference(columns))


def translate(table: Table, position: int, values: Mapping[str, object]) -> Candidate:
    """Candidate made of an old row; if it cannot be a row, `old` has the faults."""
    old = Old(values)
    return Candidate(position, values, old, LEGACY[table].translate(old))
