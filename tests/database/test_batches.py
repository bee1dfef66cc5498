"""Batches: any number of calls in one frame and one transaction."""

from typing import Any

import pytest
from prisma.errors import UniqueViolationError

from tests.database.values import json
from tests.fixtures.counting import measure


async def test_calls_of_every_kind_are_done_together_and_in_order(library: Any) -> None:
    with measure() as meter:
        async with library.batch_() as batch:
            batch.label.create({"name": "new"})
            batch.label.create_many([{"name": "a"}, {"name": "b"}])
            batch.label.update(where={"name": "new"}, data={"name": "newer"})
            batch.label.upsert(
                where={"name": "c"}, data={"create": {"name": "c"}, "update": {"name": "never"}}
            )
            batch.label.delete(where={"name": "a"})
            batch.book.update_many(
                where={"pages": {"gte": 100}}, data={"pages": 1, "notes": json({"$json": 1})}
            )
            batch.book.delete_many(where={"title": "Winds"})
            batch.execute_raw('UPDATE "Book" SET extra = $1::jsonb WHERE title = $2', json([2]), "Waves")
    assert meter.queries == 1
    assert [label.name for label in await library.label.find_many(order={"name": "asc"})] == [
        "b",
        "c",
        "newer",
    ]
    books = {book.title: book for book in await library.book.find_many()}
    assert [book.notes for book in books.values() if book.pages == 1] == [{"$json": 1}] * 3
    assert "Winds" not in books
    assert books["Waves"].extra == [2]


async def test_one_failure_undoes_all(library: Any) -> None:
    batch = library.batch_()
    batch.label.create({"name": "x"})
    batch.book.delete_many()
    batch.label.create({"name": "x"})
    with pytest.raises(UniqueViolationError):
        await batch.commit()
    assert await library.label.count() == 0
    assert await library.book.count() == 6
    batch.label.create({"name": "x"})
    await batch.commit()
    assert await library.label.count() == 1


async def test_nothing_is_sent_when_the_block_raises(showcase: Any) -> None:
    async def block() -> None:
        async with showcase.batch_() as batch:
            batch.label.create({"name": "x"})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await block()
    assert await showcase.label.count() == 0


async def test_a_batch_joins_the_transaction_of_its_client(showcase: Any) -> None:
    async def rolled_back() -> None:
        async with showcase.tx() as tx:
            async with tx.batch_() as batch:
                batch.label.create({"name": "x"})
            assert await tx.label.count() == 1
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await rolled_back()
    assert await showcase.label.count() == 0
