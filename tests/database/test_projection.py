"""Projected reads: the bytes of the model, whatever the rows hold; what cannot be projected is refused."""

import asyncio
import math
from dataclasses import replace
from datetime import UTC
from typing import Any, Final, Literal

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from prisma.errors import InputError
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
from pydantic.alias_generators import to_camel

from core.database.client import Database
from core.database.errors import NotSupported
from core.database.json import number as json_number
from core.database.transaction import unit_of_work
from core.http.fields import LEFT_OUT_IF_NONE
from core.http.pagination import decode_cursor
from core.http.projection import Projected, projected
from core.http.timestamps import Timestamp
from features.items.schemas import Item
from features.items.tests.factories import seed
from tests.fixtures.database import Connection
from tests.fixtures.rows import MOMENTS, TEXTS

ORDER: Final = ("printed", "title")


class Rated(BaseModel):
    """A field that is left out when it has no value, and names of the API."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)

    title: str
    printed: Timestamp
    rating: float | None = Field(default=None, **LEFT_OUT_IF_NONE)


class RatedOrNull(BaseModel):
    """A field of every form."""

    title: str
    printed: Timestamp
    rating: float | None
    published: bool
    pages: int
    words: list[str]


FLOATS: Final = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**17), 10**17).map(float)
BOOKS: Final = st.lists(
    st.fixed_dictionaries(
        {
            "title": TEXTS,
            "pages": st.integers(-(2**31), 2**31 - 1),
            "rating": st.none() | FLOATS,
            "published": st.booleans(),
            "printed": MOMENTS.map(lambda moment: moment.astimezone(UTC)),
            "words": st.lists(TEXTS, max_size=3),
        }
    ),
    max_size=5,
)
EDGES: Final = [
    {"title": f"{value!r}", "pages": 0, "rating": value, "published": True, "printed": "2025-01-01T00:00:00Z"}
    for value in (
        0.0,
        -0.0,
        1e15,
        1e16,
        123456789012345680.0,
        1e-4,
        1e-5,
        -1e-5,
        9.9e-6,
        1e-7,
        -1.5e300,
        5e-324,
    )
]


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(books=BOOKS, size=st.none() | st.integers(1, 6))
@example(books=EDGES, size=None)
async def test_the_text_has_the_bytes_of_the_models(
    showcase: Any, books: list[dict[str, Any]], size: int | None
) -> None:
    library = showcase
    await library.book.delete_many()
    await library.book.create_many(data=[{"words": [], **book} for book in books])
    options = library.engine.options
    for model in (Rated, RatedOrNull):

        async def read(model: type[BaseModel] = model) -> Any:
            order = [{"printed": "desc"}, {"title": "asc"}, {"id": "asc"}]
            return await projected(
                library,
                model,
                lambda take: library.book.find_many(order=order, take=take),
                size=size,
                order=ORDER,
            )

        found = await read()
        library.engine.options = replace(options, projected_reads=False)
        try:
            assert found == await read()
        finally:
            library.engine.options = options
        if found.next_cursor is not None:
            assert found.count == size
            assert decode_cursor(found.next_cursor, 2)


async def test_pages_that_follow_each_other_hold_every_row_once(db: Database, connection: Connection) -> None:
    await seed(connection, 500)

    async def page(skip: int) -> Projected:
        return await projected(
            db,
            Item,
            lambda take: db.item.find_many(
                order=[{"created_at": "desc"}, {"id": "asc"}], skip=skip, take=take
            ),
            size=77,
        )

    pages = [await page(skip) for skip in range(0, 500, 77)]
    assert [each.next_cursor is None for each in pages] == [*[False] * 6, True]
    seen = [item.id for each in pages for item in _items(each.json)]
    rows = await connection.fetch("SELECT id FROM items ORDER BY created_at DESC, id")
    assert seen == [row["id"] for row in rows]


def _items(json: bytes) -> list[Item]:
    return TypeAdapter(list[Item]).validate_json(b"[%b]" % json)


async def test_an_empty_page_is_empty(db: Database) -> None:
    for size in (None, 5):
        page = await projected(db, Item, lambda take: db.item.find_many(take=take), size=size)
        assert (page.count, page.json, page.next_cursor) == (0, b"", None)


REFUSED: Final[dict[str, Any]] = {
    "a negative take": lambda db: db.item.find_many(take=-5),
    "a cursor of Prisma's": lambda db: db.item.find_many(cursor={"id": "seed-1"}),
    "distinct": lambda db: db.item.find_many(distinct=["status"]),
    "one row": lambda db: db.item.find_unique(where={"id": "seed-1"}),
    "a first row": lambda db: db.item.find_first(),
    "a write": lambda db: db.item.update(where={"id": "seed-1"}, data={"title": "changed"}),
    "a count": lambda db: db.item.count(),
    "a raw query": lambda db: db.query_raw("SELECT 1"),
    "two calls": lambda db: asyncio.gather(db.item.find_many(), db.item.find_many()),
    "more values than one statement takes": lambda db: db.item.find_many(
        where={"id": {"in": [str(number) for number in range(70_000)]}}
    ),
    "no rows wanted": lambda db: db.item.find_many(take=0),
}


@pytest.mark.parametrize("what", REFUSED)
async def test_what_cannot_be_projected_is_refused(db: Database, connection: Connection, what: str) -> None:
    await seed(connection, 3)
    with pytest.raises((NotSupported, InputError)):
        await projected(db, Item, lambda take: REFUSED[what](db))
    assert await connection.fetchval("SELECT count(*) FROM items WHERE title = 'changed'") == 0
    assert len(await db.item.find_many()) == 3, "the next call is an ordinary one"


async def test_no_call_at_all_is_refused(db: Database) -> None:
    async def nothing(take: int | None) -> list[object]:
        return []

    with pytest.raises(NotSupported):
        await projected(db, Item, nothing)


async def test_inside_a_transaction_it_is_refused(db: Database) -> None:
    with pytest.raises(InputError, match="inside a transaction"):
        await unit_of_work(db, lambda tx: projected(tx, Item, lambda take: tx.item.find_many(take=take)))


@pytest.mark.parametrize(
    "kind", [object, dict[str, str], list[int], int | str, Literal["a\nb"], Literal["é"], bytes, Item]
)
async def test_a_field_of_an_unknown_form_is_refused(db: Database, kind: Any) -> None:
    class Unknown(BaseModel):
        model_config = ConfigDict(arbitrary_types_allowed=True)

        id: str
        title: kind

    with pytest.raises(TypeError, match=r"Unknown\.title"):
        await projected(db, Unknown, lambda take: db.item.find_many(take=take))


async def test_callers_at_once_get_each_their_own_rows(db: Database, connection: Connection) -> None:
    """Among plain reads of single rows, which the engine puts into one statement."""
    await seed(connection, 40)

    async def one(number: int) -> None:
        page = await projected(
            db, Item, lambda take: db.item.find_many(where={"id": f"seed-{number}"}, take=take), size=1
        )
        [item] = _items(page.json)
        assert item.id == f"seed-{number}"

    async def plain(number: int) -> None:
        row = await db.item.find_unique_or_raise(where={"id": f"seed-{number}"})
        assert row.id == f"seed-{number}"

    for _ in range(5):
        await asyncio.gather(*(call(number) for number in range(1, 41) for call in (one, plain)))


async def test_floats_that_json_lacks_are_null(db: Database, connection: Connection) -> None:
    for value in (math.nan, math.inf, -math.inf):
        assert await connection.fetchval(f"SELECT {json_number('$1::double precision')}", value) == "null"
