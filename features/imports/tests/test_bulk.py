"""Batches of an import, and the digest that PostgreSQL and Python must agree on whatever a row holds."""

import json
from typing import Any, Final
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.database.client import Database
from core.database.import_table import ImportTable
from core.database.transaction import unit_of_work
from features.imports.errors import SomebodyWasQuicker
from features.imports.lowdb.item import LegacyItem
from features.imports.queries.bulk import BulkTable
from features.imports.queries.digests import Row, digest_of, jsonb_text
from features.imports.tests.factories import FIVE
from tests.fixtures.database import Connection

TABLE: Final = BulkTable(
    ImportTable(
        "systems",
        "system",
        ("systems",),
        {
            "id": "text",
            "name": "text",
            "description": "text",
            "status": "text",
            "tags": "texts",
            "url": "text",
            "metadata": "object",
            "response_time_ms": "integer",
            "created_at": "moment",
            "updated_at": "moment",
            "legacy": "verbatim",
        },
        incidental=("updated_at", "legacy"),
    )
)
_TEXT = st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=20)
_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | _TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3),
    max_leaves=6,
)
_MOMENTS = st.datetimes().map(lambda moment: f"{moment.isoformat(timespec='milliseconds')}Z")


def row(**changes: object) -> Row:
    return {
        "id": str(uuid4()),
        "name": str(uuid4()),
        "description": "x",
        "status": "online",
        "tags": [],
        "url": None,
        "metadata": None,
        "response_time_ms": None,
        "created_at": "2024-05-01T12:00:00.000Z",
        "updated_at": None,
        "legacy": None,
        **changes,  # type: ignore[dict-item]
    }


def pairs(*rows: Row) -> str:
    lines = [TABLE.line(each) for each in rows]
    return f"[{b','.join(TABLE.pair(TABLE.digest(line).encode(), line) for line in lines).decode()}]"


def batch(*rows: Row) -> str:
    return f"[{b','.join(map(TABLE.line, rows)).decode()}]"


@pytest.mark.slow
@given(
    st.lists(
        st.builds(
            row,
            description=_TEXT.map(lambda text: f"x{text}"),
            tags=st.lists(_TEXT, max_size=3),
            url=st.none() | _TEXT.map(lambda text: f"u{text}"),
            metadata=st.none() | st.dictionaries(_TEXT, _JSON, max_size=4),
            response_time_ms=st.none() | st.integers(0, 2**31 - 1),
            created_at=_MOMENTS,
            updated_at=st.none() | _MOMENTS,
            legacy=st.none() | _JSON.map(json.dumps),
        ),
        min_size=1,
        max_size=5,
    )
)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], database=None
)
async def test_both_digests_agree(db: Database, rows: list[Row]) -> None:
    job_id = str(uuid4())
    written = await TABLE.load(db, batch(*rows), job_id, overwrite=False)
    assert (written.inserted, written.written) == (len(rows), None)
    assert await TABLE.compare(db, pairs(*rows)) == []
    stored = await TABLE.rows(db, [str(each["id"]) for each in rows])
    assert [TABLE.differing(each, stored[str(each["id"])]) for each in rows] == [[]] * len(rows)
    again = await TABLE.load(db, batch(*rows), job_id, overwrite=True)
    assert (again.updated, again.unchanged) == ([], len(rows))


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("description", "other"),
        ("status", "offline"),
        ("tags", ["a"]),
        ("url", "x"),
        ("metadata", {"a": 1}),
        ("response_time_ms", 0),
        ("created_at", "2024-05-01T12:00:00.001Z"),
        ("updated_at", "2024-05-01T12:00:00.000Z"),
        ("legacy", '{"a": 1}'),
    ],
)
async def test_every_column_counts(column: str, value: object, db: Database) -> None:
    known, changed = row(id="a", name="A"), row(id="a", name="A", **{column: value})
    job_id = str(uuid4())
    await TABLE.load(db, batch(known), job_id, overwrite=False)
    [difference] = await TABLE.compare(db, pairs(changed))
    assert (difference.id, difference.missing, difference.import_job_id) == ("a", False, job_id)
    assert (difference.version, difference.import_version) == (1, 1)
    written = await TABLE.load(db, batch(changed), job_id, overwrite=True)
    assert written.updated == ["a"]
    assert await TABLE.compare(db, pairs(changed)) == []
    missing = row(id="b")
    [difference] = await TABLE.compare(db, pairs(missing))
    assert difference.missing


@pytest.mark.parametrize(
    ("here", "there", "known", "moved", "verdict"),
    [
        # Nobody here has changed the row since it was imported.
        ("as imported", {}, True, True, "same"),
        ("as imported", {"status": "offline"}, True, True, "changed"),
        ("as imported", {"status": "offline"}, False, True, "changed"),
        ("as imported", {"status": "offline"}, True, False, "changed"),
        ("as imported", {"legacy": "{}"}, True, True, "changed"),
        ("as imported", {"legacy": "{}"}, True, False, "same"),
        # Somebody has.
        ("edited", {"status": "offline"}, True, False, "same"),
        ("edited", {"status": "offline"}, True, True, "edited"),
        ("edited", {"status": "offline"}, False, True, "taken"),
        ("edited", {"url": "edited"}, True, True, "same"),
        ("edited", {"url": "edited", "updated_at": "2025-01-01T00:00:00.000Z"}, False, True, "same"),
        # Or it is not here.
        ("gone", {}, False, True, "new"),
        ("gone", {}, True, False, "same"),
        ("gone", {}, True, True, "deleted"),
    ],
)
async def test_what_becomes_of_a_row_when_its_source_is_read_again(
    db: Database,
    connection: Connection,
    here: str,
    there: dict[str, Any],
    known: bool,
    moved: bool,
    verdict: str,
) -> None:
    if here != "gone":
        await TABLE.load(db, batch(row(id="a", name="A")), str(uuid4()), overwrite=False)
    if here == "edited":
        await connection.execute("UPDATE systems SET url = 'edited', row_version = row_version + 1")
    now = row(id="a", name="A", **there)
    line = TABLE.line(now)
    digests = {"digest": TABLE.digest(line), "content": TABLE.content_digest(line)}
    entry = {"id": "a", **digests, "base": "that of the last time" if known else None, "moved": moved}
    assert await TABLE.verdicts(db, json.dumps([entry])) == {"a": verdict}


def test_digests_are_those_of_journals_that_exist() -> None:
    """Changed ones would make every record of the next pass a changed one."""
    whole = row(
        id="s", name='Café "1"', tags=["a", "bé"], metadata={"b": 1.5, "aa": [None, True]}, response_time_ms=7
    )
    line = TABLE.line({**whole, "legacy": '{"x":1}'})
    assert TABLE.digest(line) == "7e5c486e9db1c50883cf4e140d192b07fa59807077e3a7b05895774ced72793e"
    items = [digest_of(LegacyItem.parse(dict(each)).row()) for each in FIVE[:2]]
    assert items == [
        "b443d1308bd48b84fd12017b8f655e80d394880aa8f09d256a0112d681bbe315",
        "be5ba15cd847399ec9b83b52a130e933d2623ee9b88366fd319976a66203f2d0",
    ]


async def test_lists_and_texts_cannot_be_mistaken_for_each_other() -> None:
    rows = [
        row(id="a", name="n", tags=tags, url=url)
        for tags, url in ((["a", "b"], None), (["ab"], None), (["a"], "b"), ([], "ab"), (["a:1"], None))
    ]
    assert len({TABLE.digest(TABLE.line(each)) for each in rows}) == len(rows)


async def test_a_name_that_somebody_took_is_told(db: Database, connection: Connection) -> None:
    await TABLE.load(db, batch(row(id="a", name="A")), str(uuid4()), overwrite=False)

    async def work(tx: Database) -> None:
        await TABLE.load(tx, batch(row(id="b", name="A")), str(uuid4()), overwrite=False)

    with pytest.raises(SomebodyWasQuicker):
        await unit_of_work(db, work)
    assert await connection.fetchval("SELECT count(*) FROM systems") == 1


async def test_json_is_written_as_postgresql_writes_it(connection: Connection) -> None:
    texts = ['{"b":1,"aa":-0.0,"a":[1e2,1.5e-7,true,null,"\\u0001\\" é 🎉"],"":{}}', "[]", "[[{}]]", "1.0"]
    for text in texts:
        found = await connection.fetchval("SELECT $1::jsonb::text", text)
        # Python reads 1.0e2 as the number that PostgreSQL is then given.
        again = await connection.fetchval("SELECT $1::jsonb::text", json.dumps(json.loads(text)))
        assert jsonb_text(json.loads(text)) == again, found
