"""Totals that come along with projected rows: what their call gives by itself, of the rows' own snapshot."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any, Final, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prisma.errors import PrismaError

from core.database.client import Database
from core.database.errors import NotSupported
from core.database.transaction import unit_of_work
from core.http.answers.projection import Projected, projected, total_of
from features.items.schemas import Item
from features.items.tests.factories import seed
from tests.database.test_projection import ORDER, Undated, plainly
from tests.fixtures.database import Connection

START: Final = datetime(2026, 1, 1, tzinfo=UTC)
ROW: Final = {"title": "t", "description": "d", "category": "dashboard", "priority": "low"}
TITLES: Final = ("a", "b", "$1", "$total")
CONDITIONS: Final = st.fixed_dictionaries(
    {},
    optional={
        "title": st.sampled_from(TITLES) | st.fixed_dictionaries({"in": st.lists(st.sampled_from(TITLES))}),
        "pages": st.integers(0, 3) | st.fixed_dictionaries({"gt": st.integers(0, 3)}),
        "published": st.booleans(),
        "printed": st.fixed_dictionaries(
            {"gte": st.integers(0, 6).map(lambda days: START + timedelta(days))}
        ),
        "author": st.just({"is": {"email": "ada"}}),
        "views": st.just({"gte": 2**60}),
    },
)


@pytest.mark.slow
@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
@given(where=CONDITIONS, counted=CONDITIONS, summed=CONDITIONS, size=st.none() | st.integers(1, 4))
async def test_a_total_is_what_its_call_gives_by_itself(
    showcase: Any, where: dict[str, Any], counted: dict[str, Any], summed: dict[str, Any], size: int | None
) -> None:
    """Whatever either call asks for, and however many parameters that takes."""
    if not await showcase.book.count():
        await _furnish(showcase)

    def count() -> Any:
        return showcase.book.count(where=counted)

    def group() -> Any:
        summing = {key: value for key, value in summed.items() if key != "author"}
        return showcase.book.group_by(["title", "published"], where=summing, sum={"views": True})

    for total in (count, group):

        async def read(total: Any = total) -> Projected:
            order = [{"printed": "desc"}, {"title": "asc"}, {"id": "asc"}]
            return await projected(
                showcase,
                Undated,
                lambda take: showcase.book.find_many(where=where, order=order, take=take),
                total=total,
                size=size,
                order=ORDER,
            )

        found = await read()
        async with plainly(showcase):
            assert found == await read()
        assert found.total == total_of(await total())


async def _furnish(showcase: Any) -> None:
    ada = await showcase.author.create(data={"email": "ada"})
    for number in range(24):
        await showcase.book.create(
            data={
                "title": TITLES[number % 4],
                "pages": number % 5,
                "published": number % 3 == 0,
                "printed": START + timedelta(days=number % 7),
                "views": 2**60 + number if number % 2 else number,
                **({"authorId": ada.id} if number % 6 == 0 else {}),
            }
        )


def _sum(db: Any) -> Any:
    return db.itemtotal.group_by(["status"], sum={"items": True})


def _page(db: Database, total: Any, size: int | None = 2) -> Any:
    return projected(db, Item, lambda take: db.item.find_many(take=take), total=total, size=size)


async def test_a_total_of_nothing_is_zero(db: Database) -> None:
    for total in (db.item.count, lambda: _sum(db)):
        page = await _page(db, total)
        assert (page.count, page.total) == (0, 0)


async def test_rows_and_total_are_of_one_snapshot(db: Database, connection: Connection) -> None:
    """While rows come and go a complete list holds as many as its total says, one way and the other."""
    await seed(connection, 5)

    async def write() -> None:
        for number in range(40):
            rows = [{**ROW, "id": f"{number}-{each}"} for each in range(3)]
            await db.item.create_many(data=cast(Any, rows))
            await db.item.delete_many(where={"id": {"startswith": f"{number}-"}})

    writing = asyncio.create_task(write())
    seen = set()
    while not writing.done():
        for total in (db.item.count, lambda: _sum(db)):
            page = await _page(db, total, None)
            assert page.count == page.total
            seen.add(page.total)
    await writing
    assert seen == {5, 8}


async def test_in_a_transaction_the_total_is_the_transactions(db: Database, connection: Connection) -> None:
    await seed(connection, 3)

    async def work(tx: Database) -> list[int | None]:
        await tx.item.delete_many(where={"id": "seed-1"})
        pages = await asyncio.gather(*(_page(client, client.item.count) for client in (tx, db, tx)))
        assert len(await tx.item.find_many()) == 2, "the next call is an ordinary one"
        return [page.total for page in pages]

    assert await unit_of_work(db, work) == [2, 3, 2]


async def test_callers_at_once_get_each_their_own_total(db: Database, connection: Connection) -> None:
    await seed(connection, 40)

    async def one(number: int) -> None:
        wanted = [f"seed-{each}" for each in range(1, number + 1)]
        page = await _page(db, lambda: db.item.count(where={"id": {"in": wanted}}))
        assert (page.count, page.total) == (2, number)

    async def none() -> None:
        assert (await _page(db, None)).total is None

    for _ in range(5):
        await asyncio.gather(*(one(number) for number in range(1, 41)), *(none() for _ in range(10)))


async def test_a_total_may_have_more_parameters_than_postgresql_takes(
    db: Database, connection: Connection
) -> None:
    await seed(connection, 3)
    wanted = [f"seed-{number}" for number in range(2, 40_000)]
    page = await projected(
        db,
        Item,
        lambda take: db.item.find_many(where={"id": {"in": wanted}}, take=take),
        total=lambda: db.item.count(where={"id": {"in": wanted}}),
        size=1,
    )
    assert (page.count, page.total) == (1, 2)


REFUSED: Final[dict[str, Any]] = {
    "rows": lambda db: db.item.find_many(),
    "a write": lambda db: db.item.delete_many(),
    "a count of a column": lambda db: db.item.count(select={"updated_at": True}),
    "a largest value": lambda db: db.itemtotal.group_by(["status"], max={"items": True}),
    "two sums": lambda db: db.itemtotal.group_by(["status"], sum={"items": True, "id": True}),
    "a sum and a count": lambda db: db.itemtotal.group_by(["status"], sum={"items": True}, count=True),
    "two calls": lambda db: asyncio.gather(db.item.count(), db.item.count()),
    "no call": lambda db: asyncio.sleep(0),
    "a raw query": lambda db: db.query_raw("SELECT 1"),
}


@pytest.mark.parametrize("what", REFUSED)
async def test_what_is_no_total_is_refused(db: Database, connection: Connection, what: str) -> None:
    await seed(connection, 3)
    with pytest.raises(NotSupported, match="total"):
        await _page(db, lambda: REFUSED[what](db))
    assert await db.item.count() == 3, "nothing was written, and the next call is an ordinary one"


@pytest.mark.parametrize("where", [{"nothing": 1}, {"version": "x"}])
async def test_an_error_of_the_total_is_that_of_its_call(db: Database, where: Any) -> None:
    with pytest.raises(PrismaError) as alone:
        await db.item.count(where=where)
    with pytest.raises(type(alone.value)):
        await _page(db, lambda: db.item.count(where=where))
    with pytest.raises(type(alone.value)):
        await unit_of_work(db, lambda tx: _page(tx, lambda: tx.item.count(where=where)))
    assert (await _page(db, db.item.count)).total == 0
