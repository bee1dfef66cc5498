"""Rows are translated back so that the importer makes the same of them, or the loss is told."""

from datetime import UTC, datetime
from typing import Any, Final, get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from core.http.request.fields import to_iso
from features.ideas import api as ideas
from features.imports.registry.columns import STORES
from features.imports.registry.exported import _cells, line
from features.imports.registry.tables import FILES, IDEAS, LEGACY, SYSTEMS
from features.imports.registry.translate import old_row, translate
from features.imports.schemas import Store, Table
from features.systems import api as systems

_TEXT: Final = some.text(
    some.characters(exclude_categories=["Cs", "Cc"]) | some.sampled_from("\",\r\n'[]{}="),
    min_size=1,
    max_size=20,
).filter(str.strip)
_MAYBE: Final = some.none() | _TEXT
_MOMENT: Final = some.integers(0, 4_000_000_000_000).map(
    lambda milliseconds: to_iso(datetime.fromtimestamp(milliseconds / 1000, UTC))
)
_TAGS: Final = some.lists(_TEXT, max_size=4)
_TIMES: Final = {"created_at": _MOMENT, "updated_at": some.none() | _MOMENT}
_SMALL: Final = some.none() | some.integers(0, 60_000)

ROWS: Final[dict[Table, some.SearchStrategy[dict[str, Any]]]] = {
    SYSTEMS: some.fixed_dictionaries(
        {
            **dict.fromkeys(("id", "name"), _TEXT),
            **dict.fromkeys(("description", "category", "owner", "version", "icon", "color", "host"), _MAYBE),
            "status": some.sampled_from(get_args(systems.Status)),
            "type": some.none() | some.sampled_from(get_args(systems.SystemType)),
            "port": some.none() | some.integers(1, 65_535),
            "url": some.none() | some.just("https://orders.example/health"),
            "tags": _TAGS,
            "metadata": some.none() | some.dictionaries(_TEXT, _TEXT | some.integers(0, 9), max_size=3),
            "last_checked": some.none() | _MOMENT,
            "response_time_ms": _SMALL,
            **_TIMES,
        }
    ),
    IDEAS: some.fixed_dictionaries(
        {
            **dict.fromkeys(("id", "title"), _TEXT),
            **dict.fromkeys(("description", "system_id", "assigned_to", "created_by"), _MAYBE),
            "status": some.sampled_from(get_args(ideas.Status)),
            "category": some.sampled_from(get_args(ideas.Category)),
            "priority": some.sampled_from(get_args(ideas.Priority)),
            "tags": _TAGS,
            "estimated_hours": some.none() | some.floats(1, 1000),
            "actual_hours": some.none() | some.floats(0, 10_000),
            "due_date": some.none() | _MOMENT,
            "completed_at": _MOMENT,
            **_TIMES,
        }
    ).map(lambda row: {**row, "completed_at": row["completed_at"] if row["status"] == "completed" else None}),
    FILES: some.fixed_dictionaries(
        {
            "id": _TEXT,
            **{name: some.just("guide.md") for name in ("filename", "original_name")},
            **dict.fromkeys(("description", "idea_id", "system_id"), _MAYBE),
            "uploaded_by": _TEXT,
            "is_public": some.booleans(),
            "download_count": some.integers(0, 1000),
            "size_bytes": some.integers(0, 1000),
            "mime_type": some.just("text/markdown"),
            "checksum": some.just("0" * 64),
            **_TIMES,
        }
    ),
}
LOSSY: Final = {"status", "category"}
"""Columns with words that an old store may not have."""
OF_BYTES: Final = {"mime_type", "size_bytes", "checksum"}
"""Columns that follow from the bytes of a file."""


def read_back(table: Table, columns: list[str], values: dict[str, object]) -> dict[str, object]:
    """The values as the importer reads them from their line."""
    cells = _cells(line({name: values[name] for name in columns}, LEGACY[table].bare).decode())
    assert cells is not None
    return dict(zip(columns, cells, strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize("table", ROWS)
@given(data=some.data())
@settings(suppress_health_check=[HealthCheck.too_slow])  # the first draw builds tables of all characters
def test_the_importer_makes_the_same_of_it(table: Table, store: Store, data: some.DataObject) -> None:
    """Also of a row that the source said something else of before."""
    columns = LEGACY[table].names_in(store)
    row, former = data.draw(ROWS[table]), data.draw(ROWS[table])
    before = old_row(table, store, columns, {**former, "legacy": {}})
    kept = data.draw(some.sets(some.sampled_from([name for name in columns if name != "id"])))
    legacy = {"original": {name: before.values[name] for name in kept}}
    old = old_row(table, store, columns, {**row, "legacy": legacy})
    again = translate(table, read_back(table, columns, old.values))
    assert not again.old.faults
    kinds = LEGACY[table].rows.declared.columns
    assert {name for name, kind in kinds.items() if kind not in ("verbatim", "key")} == row.keys()
    differing = {name for name in row.keys() - OF_BYTES if again.row.get(name) != row[name]}
    links = {name for name in ("system_id", "idea_id") if row.get(name, "") is None and name in kept}
    unsaid = {name for name in row if name not in columns and not columns_here(table, columns, name)}
    assert differing - links - unsaid - {"name"} == {name for name in old.lost if name in columns}
    assert {name for name in old.lost if name in columns} <= LOSSY, old.lost
    assert (differing & unsaid) - {"updated_at"} == {name for name in old.lost if name not in columns}


def columns_here(table: Table, columns: list[str], name: str) -> bool:
    """True if a column of the old schema has this one's values."""
    twin = {"filename": "stored_name", "created_at": "uploaded_at"}.get(name)
    return table == FILES and twin in columns
