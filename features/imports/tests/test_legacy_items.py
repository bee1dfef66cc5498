"""Taking over records of the old service: what is accepted and refused, and the digest that proves it."""

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.database.client import Database
from features.imports import api
from features.imports.api import ITEMS
from features.imports.lowdb.item import InvalidLegacyItem, LegacyItem
from features.imports.queries.bulk import Difference
from features.imports.queries.digests import digest_of
from features.imports.tests.factories import Record as JsonObject
from features.imports.tests.factories import legacy_record
from tests.fixtures.database import Connection
from tests.fixtures.transactions import transaction

JOB = "00000000-0000-4000-8000-000000000001"
OTHER_JOB = "00000000-0000-4000-8000-000000000002"


def batch(*records: JsonObject) -> str:
    return f"[{','.join(LegacyItem.parse(record).row().decode() for record in records)}]"


def proofs(*records: JsonObject) -> str:
    items = [LegacyItem.parse(record) for record in records]
    return json.dumps([(item.id, digest_of(item.row())) for item in items])


async def load(
    db: Database, *records: JsonObject, overwrite: bool = False, job: str = JOB
) -> tuple[int, ...]:
    """Numbers of the rows that were inserted, updated, unchanged, kept."""
    async with transaction(db) as tx:
        written = await ITEMS.load(tx, batch(*records), job, overwrite=overwrite)
    return written.inserted, len(written.updated), written.unchanged, written.kept


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("id", 1, "must be a string"),
        ("id", "", "must not be empty"),
        ("id", "x" * 513, "at most 512"),
        ("id", "a\0", "NUL"),
        ("title", None, "must be a string"),
        ("title", " \n", "must not be empty"),
        ("title", "a\0", "NUL"),
        ("title", "\ud800", "Unicode"),
        ("description", "", "must not be empty"),
        ("category", "unknown", "must be one of"),
        ("priority", 1, "must be one of"),
        ("status", None, "must be one of"),
        ("tags", None, "must be a list"),
        ("tags", ("a",), "must be a list"),
        ("createdAt", None, "must be a string"),
        ("createdAt", 1_700_000_000, "must be a string"),
        ("createdAt", "", "ISO 8601"),
        ("createdAt", "yesterday", "ISO 8601"),
        ("createdAt", "1700000000", "ISO 8601"),
        ("createdAt", "2025-02-30T00:00:00.000Z", "ISO 8601"),
        ("createdAt", "2025-10-23T25:00:00.000Z", "ISO 8601"),
        ("createdAt", "0000-10-23T00:00:00.000Z", "ISO 8601"),
        ("createdAt", "0001-01-01T00:00:00+23:59", "ISO 8601"),
        ("createdAt", "2025-10-23T22:46:19.745Z\0", "ISO 8601"),
        ("updatedAt", "soon", "ISO 8601"),
        ("updatedAt", False, "must be a string"),
        ("unknown", "a\0", "NUL"),
        ("unknown", [{"deep": "\udfff"}], "Unicode"),
        ("unknown", {"\0": 1}, "NUL"),
        ("unknown\0", 1, "NUL"),
        ("unknown", float("inf"), "out of range"),
        ("unknown", Decimal("1e999999999"), "out of range"),
    ],
    ids=lambda value: ascii(value)[:30],
)
def test_a_bad_record_is_refused_with_the_field_and_the_reason(
    field: str, value: object, message: str
) -> None:
    with pytest.raises(InvalidLegacyItem) as refused:
        LegacyItem.parse(legacy_record(**{field: value}))
    [detail] = refused.value.details
    assert detail.field == field
    assert message in detail.message


@pytest.mark.parametrize(
    "field", ["id", "title", "description", "category", "priority", "status", "createdAt"]
)
def test_a_missing_field_is_named(field: str) -> None:
    record = legacy_record()
    del record[field]
    with pytest.raises(InvalidLegacyItem) as refused:
        LegacyItem.parse(record)
    assert [(each.field, each.message) for each in refused.value.details] == [(field, "is required")]


@pytest.mark.parametrize("record", [None, [], "text", 1, [legacy_record()]])
def test_what_is_no_object_is_refused(record: object) -> None:
    with pytest.raises(InvalidLegacyItem) as refused:
        LegacyItem.parse(record)
    assert [(each.field, each.message) for each in refused.value.details] == [("record", "must be an object")]


def test_all_wrong_fields_are_named_at_once_and_a_deep_one_is_no_crash() -> None:
    with pytest.raises(InvalidLegacyItem) as refused:
        LegacyItem.parse(legacy_record(title=1, status="x", tags=["a", 1]))
    assert [each.field for each in refused.value.details] == ["title", "status", "tags.1"]
    deep: object = 1
    for _ in range(900):
        deep = [deep]
    with pytest.raises(InvalidLegacyItem, match="nested deeper"):
        LegacyItem.parse(legacy_record(unknown=deep))


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("2025-10-23T22:46:19.745Z", None),
        ("0001-01-01T00:00:00.000Z", None),
        ("9999-12-31T23:59:59.999Z", None),
        ("2025-10-23T22:46:19Z", "2025-10-23T22:46:19.000Z"),
        ("2025-10-23T22:46Z", "2025-10-23T22:46:00.000Z"),
        ("2025-10-23", "2025-10-23T00:00:00.000Z"),
        ("2025-10-23T22:46:19.745", "2025-10-23T22:46:19.745Z"),
        ("2025-10-23 22:46:19.7459999+00:00", "2025-10-23T22:46:19.745Z"),
        ("2025-10-24T00:46:19.745+02:00", "2025-10-23T22:46:19.745Z"),
        ("20251023T224619,5Z", "2025-10-23T22:46:19.500Z"),
        ("2025-10-23t22:46:19.745z", "2025-10-23T22:46:19.745Z"),
    ],
)
async def test_timestamps_become_milliseconds_and_their_spelling_is_kept(
    db: Database, connection: Connection, text: str, stored: str | None
) -> None:
    record = legacy_record(createdAt=text, updatedAt=text)
    assert await load(db, record) == (1, 0, 0, 0)
    row = await connection.fetchrow("SELECT created_at, updated_at, legacy FROM items")
    assert row is not None
    exact = datetime.fromisoformat(stored or text).astimezone(UTC)
    assert row["created_at"] == row["updated_at"] == exact
    spelling = {"spelling": {"createdAt": text, "updatedAt": text}}
    assert row["legacy"] == (None if stored is None else json.dumps(spelling, separators=(",", ":")))
    assert await ITEMS.compare(db, proofs(record)) == []


async def test_what_the_columns_cannot_hold_is_kept_beside_them(db: Database, connection: Connection) -> None:
    record = legacy_record(
        owner={"name": "é🚀", "n": [1, 1.5, Decimal("2.50"), 10**30, None, True]}, legacy=1
    )
    del record["updatedAt"], record["tags"]
    await load(db, record)
    row = await connection.fetchrow("SELECT tags, updated_at, legacy FROM items")
    assert row is not None
    assert (row["tags"], row["updated_at"]) == ([], None)
    assert json.loads(row["legacy"]) == {
        "fields": {"owner": {"name": "é🚀", "n": [1, 1.5, 2.5, 10**30, None, True]}, "legacy": 1},
        "absent": ["tags", "updatedAt"],
    }
    assert await ITEMS.compare(db, proofs(record)) == []


async def test_skip_keeps_what_is_stored(db: Database, connection: Connection) -> None:
    first, second = legacy_record(id="1"), legacy_record(id="2")
    assert await load(db, first) == (1, 0, 0, 0)
    assert await load(db, {**first, "title": "Other"}, second, job=OTHER_JOB) == (1, 0, 0, 1)
    rows = await connection.fetch(
        "SELECT id, title, version, import_version, import_job_id::text AS job FROM items"
    )
    assert sorted(map(tuple, rows)) == [
        ("1", first["title"], 1, 1, JOB),
        ("2", second["title"], 1, 1, OTHER_JOB),
    ]


async def test_overwrite_converges_and_leaves_identical_rows_alone(
    db: Database, connection: Connection
) -> None:
    records = [legacy_record(id=str(number)) for number in range(5)]
    await load(db, *records)
    before = await connection.fetch("SELECT id, xmin::text, ctid::text FROM items ORDER BY id")
    assert await load(db, *records, overwrite=True, job=OTHER_JOB) == (0, 0, 5, 0)
    assert await connection.fetch("SELECT id, xmin::text, ctid::text FROM items ORDER BY id") == before
    changes: list[JsonObject] = [
        {"title": "x"},
        {"tags": []},
        {"updatedAt": "2025-11-01T00:00:00.000Z"},
        {"unknown": 1},
        {"id": "new"},
    ]
    changed = [{**record, **change} for record, change in zip(records, changes, strict=True)]
    assert await load(db, *changed, overwrite=True, job=OTHER_JOB) == (1, 4, 0, 0)
    assert await ITEMS.compare(db, proofs(*changed)) == []
    rows = await connection.fetch(
        "SELECT id, version, import_version, import_job_id::text FROM items ORDER BY id"
    )
    assert [tuple(row) for row in rows] == [
        *((str(number), 2, 2, OTHER_JOB) for number in range(4)),
        ("4", 1, 1, JOB),
        ("new", 1, 1, OTHER_JOB),
    ]
    again = [{**changed[3], "unknown": 1.0}]
    assert await load(db, *again, overwrite=True) == (0, 1, 0, 0)


async def test_existing_ids(db: Database) -> None:
    await load(db, legacy_record(id="1"), legacy_record(id="é'\\{}"))
    assert sorted(await ITEMS.existing(db, ["1", "2", "é'\\{}", ""])) == ["1", "é'\\{}"]


CHANGES = [
    "title = title || ' '",
    "description = upper(description)",
    "category = 'dashboard'",
    "priority = 'low'",
    "status = 'new'",
    "tags = '{}'",
    "tags = ARRAY['perfor', 'mance']",
    "created_at = created_at + interval '1 ms'",
    "updated_at = created_at",
    "legacy = '{}'",
    "legacy = 'null'",
]


@pytest.mark.parametrize("change", CHANGES)
async def test_any_change_of_a_row_is_a_mismatch(db: Database, connection: Connection, change: str) -> None:
    records = [legacy_record(id=str(number)) for number in range(3)]
    await load(db, *records)
    await connection.execute(f"UPDATE items SET {change}, version = 7 WHERE id = '1'")
    [found] = await ITEMS.compare(db, proofs(*records))
    assert found == Difference("1", missing=False, import_job_id=JOB, version=7, import_version=1)


async def test_a_missing_row_is_a_mismatch(db: Database) -> None:
    await load(db, legacy_record(id="1"))
    found = await ITEMS.compare(db, proofs(legacy_record(id="1"), legacy_record(id="2")))
    assert found == [Difference("2", missing=True, import_job_id=None, version=None, import_version=None)]


storable = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
FIRST, LAST = datetime.fromisoformat("0001-01-03"), datetime.fromisoformat("9999-12-30")
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | storable,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(storable, inner, max_size=3),
    max_leaves=5,
)
moments = st.datetimes(FIRST, LAST).map(lambda moment: f"{moment.isoformat(timespec='milliseconds')}Z")
records = st.fixed_dictionaries(
    {
        "id": storable.filter(bool),
        "title": storable.filter(str.strip),
        "description": storable.filter(str.strip),
        "tags": st.lists(storable, max_size=4),
        "createdAt": moments,
        "updatedAt": st.none() | moments,
    },
    optional={"unknown": values, "Ünknown": values},
)


@pytest.mark.slow
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(records, min_size=1, max_size=20, unique_by=lambda record: str(record["id"])))
async def test_postgresql_computes_the_same_digest_of_any_record(
    db: Database, connection: Connection, found: list[JsonObject]
) -> None:
    await connection.execute("TRUNCATE items")
    wanted = [legacy_record(**record) for record in found]
    assert await load(db, *wanted) == (len(wanted), 0, 0, 0)
    assert await ITEMS.compare(db, proofs(*wanted)) == []
    items = {item.id: item for item in map(LegacyItem.parse, wanted)}
    assert await api.records(db, list(items)) == items, "what comes out is what went in"
    assert await load(db, *wanted, overwrite=True) == (0, 0, len(wanted), 0)


def test_digests_of_texts_that_only_join_alike_differ() -> None:
    variants: list[JsonObject] = [
        {"title": "ab", "description": "c"},
        {"title": "a", "description": "bc"},
        {"tags": ["ab"]},
        {"tags": ["a", "b"]},
        {"tags": ["", "ab"]},
        {"tags": []},
        {"tags": [""]},
        {"tags": ["1:a"]},
    ]
    found = {digest_of(LegacyItem.parse(legacy_record(**variant)).row()) for variant in variants}
    assert len(found) == len(variants)
