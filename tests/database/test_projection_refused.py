"""Projected reads: what cannot be projected is refused, be it a call, a model or a stored value."""

import asyncio
from dataclasses import replace
from typing import Any, Final, Literal

import pytest
from prisma.errors import InputError, PrismaError
from pydantic import BaseModel, ConfigDict, Field, computed_field, field_serializer, field_validator

from core.database.client import Database
from core.database.errors import NotSupported
from core.http.answers.projection import Projected, projected, projected_rows
from core.http.request.fields import LEFT_OUT_IF_NONE, Measure, Timestamp
from features.ideas.schemas import Idea
from features.items.schemas import Item
from features.items.tests.factories import seed
from tests.fixtures.database import Connection

ORDER: Final = ("printed", "title")


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


class Dated(BaseModel):
    printed: Timestamp


class Measured(BaseModel):
    rating: Measure


class Worded(BaseModel):
    words: list[str]


class Inner(BaseModel):
    title: str


class Outer(BaseModel):
    inner: Inner


@pytest.mark.parametrize("kind", [Dated, Measured, Worded, Outer, Item])
async def test_what_a_related_row_says_otherwise_in_json_is_refused(
    db: Database, kind: type[BaseModel]
) -> None:
    class Unknown(BaseModel):
        title: kind  # type: ignore[valid-type]

    with pytest.raises(TypeError, match=r"Unknown\.title\."):
        await projected(db, Unknown, lambda take: db.item.find_many(take=take))


@pytest.mark.parametrize(
    "include",
    [
        None,
        {"system": False},
        {"files": True},
        {"system": True, "files": True},
        {"system": {"include": {"files": True}}},
    ],
)
async def test_relations_other_than_those_that_are_shown_are_refused(db: Database, include: Any) -> None:
    with pytest.raises(NotSupported, match="system"):
        await projected(db, Idea, lambda take: db.idea.find_many(take=take, include=include))


class WithBooks(BaseModel):
    email: str
    books: Inner | None


@pytest.mark.parametrize("books", [0, 1, 2])
async def test_several_related_rows_are_refused(showcase: Any, books: int) -> None:
    written = [{"title": "known"}] * books
    await showcase.author.create(data={"email": "ada", "books": {"create": written}})
    with pytest.raises(PrismaError, match=r"WithBooks\.books"):
        await projected_rows(
            showcase, WithBooks, ("id",), lambda: showcase.author.find_many(include={"books": True})
        )


@pytest.mark.parametrize("is_projected", [True, False])
@pytest.mark.parametrize("rating", ["-1", "1e16", "NaN", "Infinity"])
async def test_a_number_out_of_its_range_is_an_error(showcase: Any, rating: str, is_projected: bool) -> None:
    await showcase.execute_raw("INSERT INTO \"Book\" (title, rating) VALUES ('x', $1::text::float8)", rating)
    with pytest.raises((PrismaError, ValueError)):
        await _books(showcase, Measured, is_projected)


@pytest.mark.parametrize(
    "kind", [object, float, dict[str, str], list[int], int | str, Literal["a\nb"], Literal["é"], bytes]
)
async def test_a_field_of_an_unknown_form_is_refused(db: Database, kind: Any) -> None:
    class Unknown(BaseModel):
        model_config = ConfigDict(arbitrary_types_allowed=True)

        id: str
        title: kind

    with pytest.raises(TypeError, match=r"Unknown\.title"):
        await projected(db, Unknown, lambda take: db.item.find_many(take=take))


class Computed(BaseModel):
    title: str

    @computed_field
    def length(self) -> int:
        return len(self.title)


class Serialized(BaseModel):
    title: str

    @field_serializer("title")
    def shout(self, title: str) -> str:
        return title.upper()


class Validated(BaseModel):
    title: str

    @field_validator("title")
    @classmethod
    def shout(cls, title: str) -> str:
        return title.upper()


class Configured(BaseModel):
    model_config = ConfigDict(str_to_upper=True)

    title: str


class Hidden(BaseModel):
    title: str
    pages: int = Field(exclude=True)


class LeftOutIfZero(BaseModel):
    title: str
    pages: int = Field(exclude_if=lambda pages: pages == 0)


class FirstLeftOut(BaseModel):
    printed: Timestamp | None = Field(default=None, **LEFT_OUT_IF_NONE)
    title: str


@pytest.mark.parametrize(
    "model", [Computed, Serialized, Validated, Configured, Hidden, LeftOutIfZero, FirstLeftOut]
)
async def test_a_model_that_writes_itself_otherwise_is_refused(showcase: Any, model: type[BaseModel]) -> None:
    with pytest.raises(TypeError, match=model.__name__):
        await projected(showcase, model, lambda take: showcase.book.find_many(take=take), order=ORDER)


class Nullable(BaseModel):
    title: Literal["known", "well-known"] | None
    words: list[str] | None
    printed: Timestamp | None = Field(**LEFT_OUT_IF_NONE)


class NotNullable(BaseModel):
    words: list[str]
    printed: Timestamp


@pytest.mark.parametrize("is_projected", [True, False])
@pytest.mark.parametrize(
    ("model", "title", "printed"),
    [
        (NotNullable, "known", None),
        (NotNullable, "known", "infinity"),
        (Nullable, "unknown", None),
        *((Nullable, "known", each) for each in ("infinity", "-infinity", "0044-03-15 BC", "10000-01-01")),
    ],
)
async def test_a_value_that_the_model_has_no_place_for_is_an_error(
    showcase: Any, model: type[BaseModel], title: str, printed: str | None, is_projected: bool
) -> None:
    await _insert(showcase, title, printed)
    with pytest.raises((PrismaError, ValueError, AttributeError)):
        await _books(showcase, model, is_projected)


@pytest.mark.parametrize("is_projected", [True, False])
@pytest.mark.parametrize("words", ["{a,NULL}", "{{a,b},{c,d}}"])
async def test_a_list_of_anything_but_texts_is_an_error(
    showcase: Any, words: str, is_projected: bool
) -> None:
    await _insert(showcase, "known", "2026-01-01Z", words)
    with pytest.raises(PrismaError):
        await _books(showcase, NotNullable, is_projected)


@pytest.mark.parametrize("printed", [None, "0001-01-01Z", "9999-12-31 23:59:59.999Z"])
async def test_a_value_at_the_edge_has_the_bytes_of_the_model(showcase: Any, printed: str | None) -> None:
    """Among them a list that is NULL."""
    await _insert(showcase, "well-known", printed)
    assert await _books(showcase, Nullable, True) == await _books(showcase, Nullable, False)


async def _insert(showcase: Any, title: str, printed: str | None, words: str | None = None) -> None:
    await showcase.execute_raw(
        'INSERT INTO "Book" (title, printed, words) VALUES ($1, $2::text::timestamptz, $3::text::text[])',
        title,
        printed,
        words,
    )


async def _books(showcase: Any, model: type[BaseModel], is_projected: bool) -> Projected:
    options = showcase.engine.options
    showcase.engine.options = replace(options, projected_reads=is_projected)
    try:
        return await projected(showcase, model, lambda take: showcase.book.find_many(take=take), order=ORDER)
    finally:
        showcase.engine.options = options
