"""The database itself keeps the trail: no statement changes an entry, and only retention deletes one."""

import asyncpg
import pytest

from features.audit.tests.factories import seed
from tests.fixtures.database import Connection

REFUSED = "the audit trail is append-only"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_entries SET actor = 'mallory'",
        "UPDATE audit_entries SET changes = '{}' WHERE id = 1",
        "DELETE FROM audit_entries",
        "DELETE FROM audit_entries WHERE id = 1",
        "TRUNCATE audit_entries",
        "TRUNCATE items, audit_entries CASCADE",
        "INSERT INTO audit_entries (id, entity, entity_id, action, actor, changes) "
        "VALUES (1, 'item', 'x', 'created', 'eve', '{}') ON CONFLICT (id) DO UPDATE SET actor = 'eve'",
    ],
)
async def test_an_entry_is_neither_changed_nor_deleted(connection: Connection, statement: str) -> None:
    await seed(connection, 3)
    before = await connection.fetch("SELECT * FROM audit_entries ORDER BY id")
    with pytest.raises(asyncpg.IntegrityConstraintViolationError, match=REFUSED):
        await connection.execute(statement)
    assert await connection.fetch("SELECT * FROM audit_entries ORDER BY id") == before


async def test_a_transaction_that_says_so_deletes_and_still_cannot_change(connection: Connection) -> None:
    await seed(connection, 3)
    async with connection.transaction():
        await connection.execute("SET LOCAL handover.audit_retention = 'on'")
        await connection.execute("DELETE FROM audit_entries WHERE id = 1")
    assert await connection.fetchval("SELECT min(id) FROM audit_entries") == 2
    transaction = connection.transaction()
    await transaction.start()
    await connection.execute("SET LOCAL handover.audit_retention = 'on'")
    with pytest.raises(asyncpg.IntegrityConstraintViolationError, match=REFUSED):
        await connection.execute("UPDATE audit_entries SET actor = 'mallory'")
    await transaction.rollback()
    with pytest.raises(asyncpg.IntegrityConstraintViolationError, match=REFUSED):
        await connection.execute("DELETE FROM audit_entries")
    assert await connection.fetchval("SELECT count(*) FROM audit_entries") == 2


async def test_entries_of_one_row_are_in_the_order_of_its_writes(connection: Connection) -> None:
    """The clock is the database's at the moment of the write, not at the beginning of a transaction that had
    to wait.
    """
    async with connection.transaction():
        begun = await connection.fetchval("SELECT now()")
        await connection.execute("SELECT pg_sleep(0.02)")
        await connection.execute(
            "INSERT INTO audit_entries (entity, entity_id, action, actor, changes) "
            "VALUES ('item', 'x', 'created', 'ada', '{}')"
        )
    assert await connection.fetchval("SELECT at FROM audit_entries") > begun
