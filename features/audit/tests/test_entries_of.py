"""Entries that a statement leaves by itself hold the `differences`."""

import json
from dataclasses import dataclass
from typing import Final

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.audit import api
from tests.fixtures.database import Connection
from tests.fixtures.rows import TEXTS


@dataclass(frozen=True)
class Somebody:
    name: str = "maría"
    request_id: str | None = None
    client: str | None = "192.0.2.7"


# Without the numbers 0 and 1, which Python takes for False and True.
VALUES: Final[st.SearchStrategy[api.JsonValue]] = st.one_of(
    st.none(), st.booleans(), TEXTS, st.floats(2, 10_000), st.integers(2, 2**53), st.lists(TEXTS, max_size=3)
)
# Equal values, and fields that only one side has, are what matters: few of each.
FACTS: Final = st.none() | st.dictionaries(
    st.sampled_from(["id", "title", "tags", "dueDate", 'odd "name"']),
    VALUES | st.sampled_from([8.0, 8, "a", None, ["a"], ["a", "b"], []]),
)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(before=FACTS, after=FACTS)
async def test_differences_in_sql_are_those_in_python(
    connection: Connection, before: dict[str, api.JsonValue] | None, after: dict[str, api.JsonValue] | None
) -> None:
    entries = api.entries_of("changed", "item", "updated", author="$3, $4, $5")
    author = Somebody()
    texts = [None if facts is None else json.dumps(facts) for facts in (before, after)]
    entry = await connection.fetchrow(
        f"""
        WITH changed AS (SELECT 'a/b' AS id, $1::jsonb AS before, $2::jsonb AS after),
        audited AS ({entries} RETURNING *)
        SELECT * FROM audited
        """,
        *texts,
        author.name,
        author.request_id,
        author.client,
    )
    assert entry is not None
    assert json.loads(entry["changes"]) == api.differences(before or {}, after or {})
    assert (entry["entity"], entry["entity_id"], entry["action"]) == ("item", "a/b", "updated")
    assert (entry["actor"], entry["request_id"], entry["client"]) == ("maría", None, "192.0.2.7")
