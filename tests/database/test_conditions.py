"""Conditions that are written as SQL find the rows that the typed call with the same `where` finds."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.database.client import Database
from core.database.statements import Arguments, condition
from tests.fixtures.database import Connection

_MOMENT = datetime(2025, 1, 1, tzinfo=UTC)
_SIGNS = st.sampled_from(["equals", "lt", "lte", "gt", "gte"])
_SINGLE: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.builds(dict, status=st.sampled_from(["online", "offline", "'"])),
    st.builds(dict, port=st.none() | st.integers(1, 4)),
    st.builds(dict, port=st.dictionaries(_SIGNS, st.integers(1, 4), min_size=1)),
    st.builds(
        dict,
        created_at=st.dictionaries(
            _SIGNS, st.integers(0, 5).map(lambda days: _MOMENT + timedelta(days)), min_size=1
        ),
    ),
    st.builds(dict, last_checked=st.none()),
)
_WHERE: st.SearchStrategy[dict[str, Any]] = st.just({}) | st.recursive(
    _SINGLE,
    lambda inner: (
        st.builds(dict, AND=st.lists(inner, min_size=1, max_size=3))
        | st.builds(dict, OR=st.lists(inner, min_size=1, max_size=3), status=st.just("online"))
    ),
    max_leaves=6,
)


@pytest.mark.slow
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(where=_WHERE)
async def test_they_find_what_the_typed_call_finds(
    db: Database, connection: Connection, where: dict[str, Any]
) -> None:
    await connection.execute(
        """
        INSERT INTO systems (id, name, description, status, port, created_at, last_checked)
        SELECT n::text, n::text, 'x', (ARRAY['online', 'offline'])[1 + n % 2], nullif(n % 5, 0),
            timestamptz '2025-01-01Z' + n % 6 * interval '1 day', CASE WHEN n % 3 = 0 THEN now() END
        FROM generate_series(1, 40) AS n ON CONFLICT DO NOTHING
        """
    )
    arguments = Arguments()
    rows = await db.query_raw(f"SELECT id FROM systems WHERE {condition(where, arguments)}", *arguments)
    found = await db.system.find_many(where=where)  # type: ignore[arg-type]
    assert {row["id"] for row in rows} == {row.id for row in found}


def test_what_cannot_be_written_is_refused() -> None:
    with pytest.raises(KeyError):
        condition({"name": {"contains": "x"}}, Arguments())
