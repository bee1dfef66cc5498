"""An entry exists exactly when the change of its transaction does."""

from dataclasses import replace

import pytest

from core.database.client import Database
from core.database.errors import ConstraintViolation
from features.audit import api
from tests.fixtures.transactions import transaction

ENTRY = api.AuditEntry(
    entity="item",
    entity_id="a/b 🚀",
    action="updated",
    actor="maría",
    request_id="request-1",
    changes={"title": {"before": None, "after": "é \u202e"}, "tags": {"before": ["a"], "after": []}},
)


async def test_an_entry_is_stored_as_it_was_given(db: Database) -> None:
    async with transaction(db) as tx:
        await api.record(tx, ENTRY)
        await api.record(tx, replace(ENTRY, request_id=None, action="imported", changes={"count": 2000}))
    first, second = await db.auditentry.find_many(order={"id": "asc"})
    assert (first.entity, first.entity_id, first.action) == ("item", "a/b 🚀", "updated")
    assert (first.actor, first.request_id) == ("maría", "request-1")
    assert dict(first.changes) == ENTRY.changes
    assert second.request_id is None
    assert dict(second.changes) == {"count": 2000}
    assert second.id > first.id


async def test_a_rolled_back_change_leaves_no_entry(db: Database) -> None:
    async def fail() -> None:
        async with transaction(db) as tx:
            await api.record(tx, ENTRY)
            raise LookupError

    with pytest.raises(LookupError):
        await fail()
    assert await db.auditentry.count() == 0


@pytest.mark.parametrize(
    "wrong",
    [{"actor": ""}, {"actor": "x" * 129}, {"action": "guessed"}],
    ids=["no actor", "long actor", "action"],
)
async def test_the_database_refuses_what_no_entry_may_be(db: Database, wrong: dict[str, str]) -> None:
    with pytest.raises(ConstraintViolation):
        await api.record(db, replace(ENTRY, **wrong))  # type: ignore[arg-type]
    assert await db.auditentry.count() == 0


def test_differences_name_only_the_fields_that_differ() -> None:
    before: dict[str, api.JsonValue] = {"a": 1, "b": [1], "c": None, "gone": 0}
    after: dict[str, api.JsonValue] = {"a": 1, "b": [2], "c": None, "new": None}
    assert api.differences(before, after) == {
        "b": {"before": [1], "after": [2]},
        "gone": {"before": 0, "after": None},
        "new": {"before": None, "after": None},
    }
    assert api.differences(before, before) == {}
