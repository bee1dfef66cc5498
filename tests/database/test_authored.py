"""Who changes a row stands in the audit entry that PostgreSQL writes of it, whatever way the change takes."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final, cast

import pytest
from prisma.errors import UniqueViolationError

from core.database.client import Author, Database
from core.database.transaction import unaudited, unit_of_work
from tests.database.remarks import remarks
from tests.fixtures.database import Connection
from tests.fixtures.trail import audit_of

ADA: Final = Author("ada", "request-1", "192.0.2.7")


def item(item_id: str, **fields: Any) -> Any:
    values = {"title": item_id, "description": "x", "category": "dashboard", "priority": "low", "tags": []}
    return {"id": item_id, **values, **fields}


async def actors(connection: Connection, item_id: str) -> list[tuple[str, str]]:
    return [(entry["action"], entry["actor"]) for entry in await audit_of(connection, "item", item_id)]


async def in_a_unit(db: Database, work: Callable[[Database], Awaitable[object]]) -> None:
    await unit_of_work(db, work)


async def in_a_transaction_of_the_typed_client(
    db: Database, work: Callable[[Database], Awaitable[object]]
) -> None:
    async with db.tx() as tx:
        await work(cast(Database, tx))


async def alone(db: Database, work: Callable[[Database], Awaitable[object]]) -> None:
    await work(db)


WAYS: Final = [alone, in_a_unit, in_a_transaction_of_the_typed_client]


async def batched(db: Database) -> None:
    batch = db.batch_()
    batch.item.create(data=item("b"))
    batch.item.create(data=item("a"))
    await batch.commit()


WRITES: Final[dict[str, tuple[Callable[[Database], Awaitable[object]], list[str]]]] = {
    "create": (lambda db: db.item.create(data=item("a")), ["created"]),
    "create_many": (lambda db: db.item.create_many(data=[item("a"), item("b")]), ["created"]),
    "upsert": (
        lambda db: db.item.upsert(where={"id": "a"}, data={"create": item("a"), "update": {"title": "b"}}),
        ["created"],
    ),
    "batch": (batched, ["created"]),
    "update": (lambda db: db.item.update(where={"id": "old"}, data={"title": "b"}), ["updated"]),
    "update_many": (lambda db: db.item.update_many(where={}, data={"title": "b"}), ["updated"]),
    "delete": (lambda db: db.item.delete(where={"id": "old"}), ["deleted"]),
    "delete_many": (lambda db: db.item.delete_many(), ["deleted"]),
    "execute_raw": (lambda db: db.execute_raw("UPDATE items SET title = 'b'"), ["updated"]),
    "query_raw": (lambda db: db.query_raw("DELETE FROM items RETURNING id"), ["deleted"]),
    "query_text": (lambda db: db.query_text("UPDATE items SET title = 'b' RETURNING id"), ["updated"]),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("write", WRITES)
async def test_every_write_names_its_author(
    db: Database,
    connection: Connection,
    write: str,
    way: Callable[[Database, Callable[[Database], Awaitable[object]]], Awaitable[None]],
) -> None:
    await db.item.create(data=item("old"))
    work, actions = WRITES[write]
    await way(db.acting_as(ADA), work)
    where = "a" if actions == ["created"] else "old"
    *before, entry = await audit_of(connection, "item", where)
    assert [each["actor"] for each in before] == ([] if where == "a" else ["database"])
    assert (entry["action"], entry["actor"], entry["request_id"]) == (*actions, "ada", "request-1")
    assert str(entry["client"]) == "192.0.2.7"
    # The connection that it had forgets it.
    await db.item.create(data=item("next"))
    assert await actors(connection, "next") == [("created", "database")]


async def test_results_are_those_of_a_client_without_author(db: Database) -> None:
    ada = db.acting_as(ADA)
    made = await ada.item.create(data=item("a"))
    assert made == await db.item.find_unique_or_raise(where={"id": "a"})
    assert await ada.item.create_many(data=[item("b"), item("c")]) == 2
    assert await ada.item.update_many(where={}, data={"priority": "high"}) == 3
    assert await ada.item.update(where={"id": "none"}, data={"title": "b"}) is None
    assert await ada.item.delete(where={"id": "none"}) is None
    assert await ada.item.count() == 3
    assert len(await ada.item.find_many()) == 3
    assert await ada.query_raw("SELECT 1 AS one") == [{"one": 1}]
    assert await ada.item.delete_many() == 3


async def test_the_action_can_be_another_word(db: Database, connection: Connection) -> None:
    await db.item.create(data=item("a"))
    await db.acting_as(ADA, "checked").item.update(where={"id": "a"}, data={"title": "b"})
    assert (await actors(connection, "a"))[-1] == ("checked", "ada")


async def test_a_unit_may_change_its_author(db: Database, connection: Connection) -> None:
    async def work(tx: Database) -> None:
        await tx.item.create(data=item("a"))
        await tx.acting_as(Author("bo")).item.create(data=item("b"))
        await tx.item.create(data=item("c"))

    await unit_of_work(db.acting_as(ADA), work)
    assert [await actors(connection, each) for each in "abc"] == [
        [("created", "ada")],
        [("created", "bo")],
        [("created", "ada")],
    ]


@pytest.mark.parametrize("undo", ["execute_raw", "query_raw"])
async def test_a_savepoint_that_is_gone_back_to_does_not_take_the_author_along(
    db: Database, connection: Connection, undo: str
) -> None:
    async def work(tx: Database) -> None:
        # Not by the author: his name is set behind the savepoint.
        await db.bound_to(str(tx._tx_id)).execute_raw("SAVEPOINT before")
        await tx.item.create(data=item("gone"))
        await getattr(tx, undo)("ROLLBACK TO SAVEPOINT before")
        await tx.item.create(data=item("a"))

    await unit_of_work(db.acting_as(ADA), work)
    assert await actors(connection, "a") == [("created", "ada")]
    assert await actors(connection, "gone") == []


@pytest.mark.parametrize("undo", ["execute_raw", "query_raw"])
async def test_a_savepoint_can_be_gone_back_to_by_any_author(
    db: Database, connection: Connection, undo: str
) -> None:
    async def work(tx: Database) -> None:
        await tx.item.create(data=item("a"))
        await tx.execute_raw("SAVEPOINT before")
        with pytest.raises(UniqueViolationError):
            await tx.acting_as(Author("bo")).item.create(data=item("a"))
        await getattr(tx, undo)("ROLLBACK TO SAVEPOINT before")
        await tx.item.create(data=item("b"))

    await unit_of_work(db.acting_as(ADA), work)
    assert await actors(connection, "b") == [("created", "ada")]


async def test_authors_at_once_in_one_unit_sign_each_their_own(db: Database, connection: Connection) -> None:
    """What nobody signs among them is nobody's."""

    def writer(tx: Database, number: int) -> Database:
        return tx if number % 3 == 2 else tx.acting_as(Author(f"person-{number}"))

    async def work(tx: Database) -> None:
        await asyncio.gather(
            *(writer(tx, number).item.create(data=item(str(number))) for number in range(12))
        )

    await unit_of_work(db, work)
    for number in range(12):
        who = "database" if number % 3 == 2 else f"person-{number}"
        assert await actors(connection, str(number)) == [("created", who)]


async def test_writers_at_once_sign_each_their_own(db: Database, connection: Connection) -> None:
    """Among them transactions, and writers without a name."""

    async def write(number: int) -> None:
        writer = db if number % 4 == 3 else db.acting_as(Author(f"person-{number}"))
        if number % 4 == 1:
            await unit_of_work(writer, lambda tx: tx.item.create(data=item(str(number))))
        else:
            await writer.item.create(data=item(str(number)))
        await writer.item.update(where={"id": str(number)}, data={"title": f"by {number}"})

    for start in range(0, 120, 40):
        await asyncio.gather(*(write(number) for number in range(start, start + 40)))
    for number in range(120):
        who = "database" if number % 4 == 3 else f"person-{number}"
        assert await actors(connection, str(number)) == [("created", who), ("updated", who)]


async def test_a_refused_write_leaves_no_entry(db: Database, connection: Connection) -> None:
    await db.acting_as(ADA).item.create(data=item("a"))
    with pytest.raises(Exception, match="Unique"):
        await db.acting_as(ADA).item.create(data=item("a"))
    with pytest.raises(Exception, match="check"):
        await db.acting_as(ADA).item.update(where={"id": "a"}, data={"status": "unheard of"})
    assert await actors(connection, "a") == [("created", "ada")]


async def test_other_programs_are_recorded_too(connection: Connection) -> None:
    await connection.execute(
        "INSERT INTO items (id, title, description, category, priority) "
        "SELECT n::text, 'x', 'x', 'dashboard', 'low' FROM generate_series(1, 3) AS n"
    )
    await connection.execute("UPDATE items SET title = 'y' WHERE id < '3'")
    await connection.execute("UPDATE items SET id = 'other' WHERE id = '2'")
    await connection.execute("DELETE FROM items WHERE id = '1'")
    found = {each: await actors(connection, each) for each in ("1", "2", "3", "other")}
    assert found == {
        "1": [("created", "database"), ("updated", "database"), ("deleted", "database")],
        "2": [("created", "database"), ("updated", "database"), ("deleted", "database")],
        "3": [("created", "database")],
        "other": [("created", "database")],
    }
    assert await connection.fetchval("SELECT version FROM items WHERE id = 'other'") == 3


async def test_programs_that_search_no_schema_are_recorded_too(db: Database, connection: Connection) -> None:
    """As dumps of PostgreSQL do."""
    await db.item.create(data=item("a"))
    async with connection.transaction():
        await connection.execute("SET LOCAL search_path = ''")
        await connection.execute("UPDATE public.items SET title = 'b'")
    assert await actors(connection, "a") == [("created", "database"), ("updated", "database")]


async def test_a_change_that_changes_nothing_is_none(db: Database, connection: Connection) -> None:
    await db.item.create(data=item("a"))
    await connection.execute("UPDATE items SET title = title, legacy = '{}'")
    assert await actors(connection, "a") == [("created", "database")]


async def test_bulk_work_says_that_it_leaves_an_entry_of_its_own(
    db: Database, connection: Connection
) -> None:
    async def work(tx: Database) -> None:
        await unaudited(tx, "ideas")
        await tx.item.create(data=item("a"))
        await unaudited(tx, "items")
        await tx.item.create(data=item("b"))

    await unit_of_work(db, work)
    await db.item.create(data=item("c"))
    assert [len(await actors(connection, each)) for each in "abc"] == [1, 0, 1]


async def test_a_table_may_have_a_column_of_any_name(connection: Connection) -> None:
    """Also one that the trigger has a variable of."""
    async with remarks(connection):
        await connection.execute("INSERT INTO remarks VALUES ('one', 'ada')")
        await connection.execute("UPDATE remarks SET author = 'bob'")
        assert await connection.fetchval("SELECT row_version FROM remarks") == 2
        made, changed = await audit_of(connection, "remark", "one")
    assert (made["actor"], made["changes"]["author"]) == ("database", {"before": None, "after": "ada"})
    assert changed["changes"] == {"author": {"before": "ada", "after": "bob"}}
