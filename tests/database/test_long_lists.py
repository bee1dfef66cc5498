"""Lists with more values than a statement may have parameters: 65,535, and 32,766 in Prisma's eyes."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from prisma import Base64, errors

SIZES = [32_767, 65_536]
TITLES = ["Anonymous", "Engines", "Notes", "Numbers", "Waves", "Winds"]

Check = Callable[[Any, list[int]], Awaitable[object]]


async def titles(db: Any, **query: Any) -> list[str]:
    return [book.title for book in await db.book.find_many(**query)]


async def in_a_batch(db: Any, ids: list[int]) -> int:
    async with db.batch_() as batch:
        batch.book.update_many(where={"id": {"not_in": ids[1:]}}, data={"pages": {"increment": 1}})
        batch.book.delete_many(where={"id": {"in": ids}, "title": {"in": ["none", "Engines"]}})
    return int(await db.book.count())


def lists(ids: list[int]) -> dict[str, Any]:
    return {"id": {"in": ids}, "title": {"in": [*TITLES, *map(str, ids)]}, "pages": {"not_in": ids[400:]}}


CHECKS: dict[str, tuple[Check, object]] = {
    "in": (lambda db, ids: titles(db, where={"id": {"in": ids}}, take=len(ids)), TITLES),
    "count": (lambda db, ids: db.book.count(where={"id": {"in": ids}}), 6),
    "count of a selection": (
        lambda db, ids: db.book.count(select={"authorId": True}, where={"id": {"in": ids}}),
        {"authorId": 5},
    ),
    "not_in": (lambda db, ids: titles(db, where={"id": {"not_in": ids[3:]}}), TITLES[:3]),
    "in order": (
        lambda db, ids: titles(db, where={"id": {"in": ids}}, order={"title": "desc"}, take=2, skip=1),
        ["Waves", "Numbers"],
    ),
    "first": (lambda db, ids: titles(db, where={"NOT": [{"id": {"in": ids[1:]}}]}), TITLES[:1]),
    "several": (lambda db, ids: db.book.count(where=lists(ids)), 6),
    "either": (lambda db, ids: db.book.count(where={"OR": [{"id": {"in": ids[1:]}}, {"pages": 10}]}), 6),
    "groups": (
        lambda db, ids: db.book.group_by(["published"], count=True, where={"id": {"in": ids}}),
        [{"published": False, "_count": {"_all": 6}}],
    ),
    "related": (lambda db, ids: db.author.count(where={"books": {"some": {"id": {"in": ids}}}}), 2),
    "update_many": (
        lambda db, ids: db.book.update_many(where={"id": {"not_in": ids[2:]}}, data={"views": 1}),
        2,
    ),
    "delete_many": (lambda db, ids: db.book.delete_many(where={"id": {"not_in": ids[1:]}}), 1),
    "batch": (in_a_batch, 5),
}


@pytest.fixture
async def shelf(library: Any) -> Any:
    """The six books in the order of their titles: the ids are 1 to 6."""
    for number, book in enumerate(await library.book.find_many(order={"title": "asc"})):
        await library.book.update(where={"id": book.id}, data={"id": number + 1000})
    await library.book.update_many(where={}, data={"id": {"decrement": 999}})
    return library


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", CHECKS)
async def test_a_list_may_be_of_any_length(shelf: Any, name: str, size: int) -> None:
    check, expected = CHECKS[name]
    assert await check(shelf, list(range(1, size + 1))) == expected


@pytest.mark.parametrize("name", CHECKS)
async def test_also_in_a_transaction(shelf: Any, name: str) -> None:
    check, expected = CHECKS[name]
    async with shelf.tx(timeout=timedelta(seconds=30)) as tx:
        assert await check(tx, list(range(1, SIZES[0] + 1))) == expected


@pytest.mark.slow
async def test_of_every_type(showcase: Any) -> None:
    day = datetime(2025, 1, 1, tzinfo=UTC)
    values = {
        "title": '{"quoted\\\\", NULL}',
        "pages": 7,
        "views": 2**53 + 1,
        "rating": 0.1,
        "price": Decimal("12345678901234567890.0123456789"),
        "cover": Base64.encode(b"\x00\xff"),
        "printed": day,
    }
    others: dict[str, Callable[[int], object]] = {
        "title": str,
        "pages": int,
        "views": int,
        "rating": float,
        "price": Decimal,
        "cover": lambda number: Base64.encode(str(number).encode()),
        "printed": lambda number: day + timedelta(seconds=number + 1),
    }
    await showcase.book.create(data=values)
    without = {
        name: [other(number) for number in range(100, SIZES[0] + 100)] for name, other in others.items()
    }
    beside = {name: [*without[name], value] for name, value in values.items()}
    assert await showcase.book.count(where={name: {"in": beside[name]} for name in values}) == 1
    assert await showcase.book.count(where={name: {"not_in": without[name]} for name in values}) == 1
    assert await showcase.book.count(where={"OR": [{name: {"in": without[name]}} for name in values]}) == 0
    assert await showcase.book.count(where={"OR": [{name: {"not_in": beside[name]}} for name in values]}) == 0


@pytest.mark.slow
async def test_rows_are_written_all_or_none_and_their_related_rows_found(showcase: Any) -> None:
    """In one statement of Prisma these would be 160,000 values, and 40,000."""
    places = [{"shelf": number % 7, "slot": number, "what": f"p{number}"} for number in range(20_000)]
    books = [{"title": f"b{each['slot']}", "shelf": each["shelf"], "slot": each["slot"]} for each in places]
    with pytest.raises(errors.UniqueViolationError):
        await showcase.place.create_many(data=[*places, places[0]])
    assert await showcase.place.count() == 0
    assert await showcase.place.create_many(data=places[:3]) == 3
    assert await showcase.place.create_many(data=places, skip_duplicates=True) == 19_997
    async with showcase.tx(timeout=timedelta(seconds=30)) as tx:
        assert await tx.book.create_many(data=books) == 20_000
    found = await showcase.book.find_many(include={"place": True})
    assert {book.title: book.place.what for book in found} == {
        f"b{number}": f"p{number}" for number in range(20_000)
    }


async def test_what_is_no_list_is_refused_by_name(showcase: Any) -> None:
    many = [*range(65_536)]
    places = ",".join(f"${number + 1}" for number in many)
    for call in (
        showcase.query_raw(f"SELECT 1 WHERE 1 IN ({places})", *many),
        showcase.execute_raw(f"SELECT 1 WHERE 1 IN ({places})", *many),
        showcase.book.count(where={"title": {"in": list(map(str, many)), "mode": "insensitive"}}),
    ):
        with pytest.raises(errors.DataError, match="65535 parameters") as refused:
            await call
        assert refused.value.code == "P2029"
