"""Projected reads: the bytes of the model, whatever the rows hold and whatever is asked for."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC
from typing import Any, Final, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
)
from pydantic.alias_generators import to_camel

from core.database.client import Database
from core.http.answers.pagination import decode_place
from core.http.answers.projection import Projected, projected
from core.http.request.fields import LARGEST, LEFT_OUT_IF_NONE, EmptyIfNone, Measure, Timestamp
from features.items.schemas import Item
from features.items.tests.factories import seed
from tests.fixtures.database import Connection
from tests.fixtures.rows import MOMENTS, TEXTS

ORDER: Final = ("printed", "title")


class Writer(BaseModel):
    """A related row, with a text that may be missing in each of the three ways."""

    email: str
    name: EmptyIfNone
    mentorId: str | None  # noqa: N815
    id: str | None = Field(default=None, **LEFT_OUT_IF_NONE)


class Shelf(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel)

    shelf: int
    what: Literal["here", "there"]
    open: bool


class Book(BaseModel):
    """A field of every form."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)

    title: str
    subtitle: EmptyIfNone
    pages: int
    published: bool
    printed: Timestamp
    words: list[str]
    rating: Measure | None = Field(default=None, **LEFT_OUT_IF_NONE)
    author: Writer | None
    place: Shelf | None = Field(default=None, **LEFT_OUT_IF_NONE)


class Named(BaseModel):
    email: str


class Undated(BaseModel):
    """Fields that may have no value: one is left out then, one is null."""

    title: str
    printed: Timestamp | None = Field(default=None, **LEFT_OUT_IF_NONE)


class UndatedOrNull(BaseModel):
    title: str
    printed: Timestamp | None


MEASURES: Final = st.floats(0, LARGEST) | st.floats(0, 1e-3) | st.integers(0, int(LARGEST)).map(float)
BOOKS: Final = st.lists(
    st.fixed_dictionaries(
        {
            "title": TEXTS,
            "subtitle": st.none() | TEXTS,
            "rating": st.none() | MEASURES,
            "authorId": st.sampled_from(["ada", "bo", None]),
            "shelf": st.sampled_from([1, 2, None]),
            "pages": st.integers(-(2**31), 2**31 - 1),
            "published": st.booleans(),
            "printed": MOMENTS.map(lambda moment: moment.astimezone(UTC)),
            "words": st.lists(TEXTS, max_size=3),
        }
    ),
    max_size=5,
)


@pytest.mark.slow
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    books=BOOKS,
    size=st.none() | st.integers(1, 6),
    undated=st.booleans(),
    texts=st.tuples(TEXTS, TEXTS, st.none() | TEXTS),
)
async def test_the_text_has_the_bytes_of_the_models(
    showcase: Any,
    books: list[dict[str, Any]],
    size: int | None,
    undated: bool,
    texts: tuple[str, str, str | None],
) -> None:
    library = showcase
    await library.book.delete_many()
    await furnish(library, *texts)
    moments = {"printed": None} if undated else {}
    await library.book.create_many(data=[{**book, "slot": book["shelf"], **moments} for book in books])
    for model in (Undated, UndatedOrNull) if undated else (Book, Undated, UndatedOrNull):
        include = {"author": True, "place": True} if model is Book else None

        async def read(model: type[BaseModel] = model, include: Any = include) -> Projected:
            order = [{"printed": "desc"}, {"title": "asc"}, {"id": "asc"}]
            return await projected(
                library,
                model,
                lambda take: library.book.find_many(order=order, take=take, include=include),
                size=None if undated else size,
                order=ORDER,
            )

        found = await read()
        async with plainly(library):
            assert found == await read()
        if found.next_cursor is not None:
            assert found.count == size
            assert len(decode_place((), found.next_cursor, str, str)) == 2


@asynccontextmanager
async def plainly(database: Any, is_plain: bool = True) -> AsyncIterator[None]:
    """As with DB_PROJECTED_READS=false."""
    options = database.engine.options
    database.engine.options = replace(options, projected_reads=not is_plain)
    try:
        yield
    finally:
        database.engine.options = options


async def furnish(library: Any, email: str, other: str, name: str | None) -> None:
    """Two authors, one the other's pupil, and two places."""
    await library.author.delete_many()
    await library.place.delete_many()
    for row in (
        {"id": "ada", "email": email, "name": name},
        {"id": "bo", "email": other + "!" * (email == other), "name": None, "mentorId": "ada"},
    ):
        await library.author.create(data=row)
    for shelf, what in ((1, "here"), (2, "there")):
        await library.place.create(data={"shelf": shelf, "slot": shelf, "what": what, "open": shelf == 1})


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


async def test_a_list_of_any_length_may_be_asked_for(db: Database, connection: Connection) -> None:
    await seed(connection, 3)
    wanted = [f"seed-{number}" for number in range(2, 70_000)]
    page = await projected(
        db,
        Item,
        lambda take: db.item.find_many(where={"id": {"in": wanted}}, order={"id": "asc"}, take=take),
        size=1,
    )
    assert [item.id for item in _items(page.json)] == ["seed-2"]
    assert page.next_cursor is not None


AWKWARD: Final = ["$total", "$page", "$1", "$&", " IN ($1,$2)", " VALUES ($1)", " RETURNING ", "'--"]


async def test_values_are_never_taken_for_sql(db: Database, connection: Connection) -> None:
    await seed(connection, len(AWKWARD))
    for number, text in enumerate(AWKWARD, 1):
        await db.item.update(where={"id": f"seed-{number}"}, data={"title": text})
    for number, text in enumerate(AWKWARD, 1):
        page = await projected(
            db,
            Item,
            lambda take, text=text: db.item.find_many(  # type: ignore[misc]
                where={"title": text, "NOT": [{"id": {"in": AWKWARD}}]}, take=take
            ),
            total=lambda text=text: db.item.count(where={"title": {"in": [text, "none"]}}),  # type: ignore[misc]
            size=1,
        )
        assert [item.id for item in _items(page.json)] == [f"seed-{number}"]
        assert page.total == 1


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
