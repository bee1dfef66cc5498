"""Reading through the typed client, against PostgreSQL."""

from decimal import Decimal
from types import ModuleType
from typing import Any

import pytest
from prisma import errors

from tests.database.values import json


async def test_find_unique_by_id_unique_field_and_compound_key(library: Any) -> None:
    ada = await library.author.find_unique(where={"email": "ada@example.org"})
    assert ada is not None
    assert (await library.author.find_unique(where={"id": ada.id})).email == "ada@example.org"
    compound = {"email_name": {"email": "ada@example.org", "name": "ada"}}
    assert (await library.author.find_unique(where=compound)).id == ada.id
    await library.place.create(data={"shelf": 1, "slot": 2, "what": "here"})
    assert (await library.place.find_unique(where={"shelf_slot": {"shelf": 1, "slot": 2}})).what == "here"
    assert await library.author.find_unique(where={"email": "nobody@example.org"}) is None


async def test_find_first_and_the_raising_forms(library: Any) -> None:
    first = await library.book.find_first(where={"pages": {"gte": 60}}, order={"pages": "asc"})
    assert first.title == "Waves"
    assert await library.book.find_first(where={"pages": 1}) is None
    with pytest.raises(errors.RecordNotFoundError):
        await library.book.find_first_or_raise(where={"pages": 1})
    with pytest.raises(errors.RecordNotFoundError):
        await library.book.find_unique_or_raise(where={"id": 999})
    assert (await library.book.find_first_or_raise(where={"pages": 10})).title == "Anonymous"
    assert (await library.book.find_unique_or_raise(where={"id": first.id})).title == "Waves"


@pytest.mark.parametrize(
    ("where", "titles"),
    [
        ({"title": {"contains": "n"}}, {"Engines", "Winds", "Anonymous"}),
        (
            {"title": {"contains": "N", "mode": "insensitive"}},
            {"Engines", "Notes", "Numbers", "Winds", "Anonymous"},
        ),
        ({"title": {"startswith": "W", "endswith": "s"}}, {"Winds", "Waves"}),
        ({"title": {"in": ["Notes", "Winds"]}}, {"Notes", "Winds"}),
        ({"pages": {"not_in": [10, 50, 60]}}, {"Engines", "Notes", "Numbers"}),
        ({"pages": {"gt": 50, "lte": 200}}, {"Engines", "Notes", "Waves"}),
        ({"NOT": [{"pages": {"lt": 100}}]}, {"Engines", "Notes", "Numbers"}),
        ({"OR": [{"pages": 10}, {"title": "Notes"}]}, {"Anonymous", "Notes"}),
        ({"AND": [{"pages": {"gt": 10}}, {"pages": {"lt": 100}}]}, {"Winds", "Waves"}),
        ({"authorId": None}, {"Anonymous"}),
        ({"author": {"is": {"email": "bo@example.org"}}}, {"Winds", "Waves"}),
        ({"author": {"is_not": {"email": "bo@example.org"}}}, {"Engines", "Notes", "Numbers", "Anonymous"}),
    ],
)
async def test_filters(library: Any, where: dict[str, Any], titles: set[str]) -> None:
    assert {book.title for book in await library.book.find_many(where=where)} == titles


async def test_filters_across_lists_of_related_records(library: Any) -> None:
    async def emails(where: dict[str, Any]) -> list[str]:
        return [author.email for author in await library.author.find_many(where=where)]

    assert await emails({"books": {"some": {"pages": {"gt": 250}}}}) == ["ada@example.org"]
    assert await emails({"books": {"every": {"pages": {"lt": 100}}}}) == ["bo@example.org"]
    assert await emails({"books": {"none": {"title": "Winds"}}}) == ["ada@example.org"]


async def test_order_take_skip_cursor_and_distinct(library: Any) -> None:
    async def titles(**query: Any) -> list[str]:
        return [book.title for book in await library.book.find_many(**query)]

    everything = await titles(order={"pages": "desc"})
    assert everything == ["Numbers", "Notes", "Engines", "Waves", "Winds", "Anonymous"]
    assert await titles(order=[{"authorId": "asc"}, {"pages": "desc"}], take=1) in (["Numbers"], ["Waves"])
    assert await titles(order={"pages": "desc"}, take=2, skip=1) == everything[1:3]
    engines = await library.book.find_first(where={"title": "Engines"})
    assert await titles(order={"pages": "desc"}, cursor={"id": engines.id}, take=2) == ["Engines", "Waves"]
    assert await titles(order={"pages": "desc"}, cursor={"id": engines.id}, skip=1, take=2) == [
        "Waves",
        "Winds",
    ]
    assert await titles(order={"pages": "desc"}, cursor={"id": engines.id}, take=-2) == ["Notes", "Engines"]
    assert len(await titles(distinct=["authorId"])) == 3


async def test_include_with_nested_where_order_take_and_include(library: Any) -> None:
    ada = await library.author.find_unique(
        where={"email": "ada@example.org"},
        include={
            "profile": True,
            "books": {"where": {"pages": {"gte": 200}}, "order_by": {"pages": "desc"}, "take": 1},
            "mentor": False,
        },
    )
    assert ada.profile.bio == "bio of ada@example.org"
    assert [book.title for book in ada.books] == ["Numbers"]
    assert ada.mentor is None
    books = await library.book.find_many(
        where={"title": "Winds"},
        include={"author": {"include": {"profile": True, "books": {"order_by": {"id": "asc"}}}}},
    )
    assert books[0].author.profile.bio == "bio of bo@example.org"
    assert [book.title for book in books[0].author.books] == ["Winds", "Waves"]
    assert (
        await library.book.find_first(where={"title": "Anonymous"}, include={"author": True})
    ).author is None


async def test_what_is_none_in_an_include_was_not_asked_for(library: Any) -> None:
    nothing = {"take": None, "skip": None, "where": None, "order_by": None, "cursor": None, "include": None}
    for include in ({"books": nothing}, {"books": {"include": {"labels": nothing}}}):
        ada = await library.author.find_unique(where={"email": "ada@example.org"}, include=include)
        assert len(ada.books) == 3
        assert ada.profile is None


async def test_an_include_of_what_is_no_relation_is_named(library: Any) -> None:
    for include in ({"foo": True}, {"title": True}, {"author": {"include": {"foo": {"take": 1}}}}):
        with pytest.raises(
            errors.UnknownRelationalFieldError, match=r'"(foo|title)" .* the (Book|Author) model'
        ):
            await library.book.find_many(include=include)
        with pytest.raises(errors.UnknownRelationalFieldError):
            await library.book.create(data={"title": "x"}, include=include)
    with pytest.raises(TypeError, match="include value"):
        await library.book.find_many(include={"author": None})
    assert await library.book.count() == 6


async def test_json_columns_are_counted(library: Any) -> None:
    await library.book.create(data={"title": "x", "notes": json(None), "data": json({"a": 1})})
    counted = await library.book.count(select={"_all": True, "extra": True, "notes": True, "data": True})
    assert counted == {"_all": 7, "extra": 7, "notes": 1, "data": 1}


async def test_averages_are_floats(library: Any) -> None:
    values = {"title": "x", "pages": 7, "views": 2**53 + 1, "rating": 1.0, "price": Decimal("2.5")}
    await library.book.create(data=values)
    asked = dict.fromkeys(["pages", "views", "rating", "price"], True)
    [group] = await library.book.group_by(["title"], avg=asked, where={"title": "x"})
    assert group["_avg"] == {"pages": 7, "views": float(2**53 + 1), "rating": 1, "price": 2.5}
    assert {type(value) for value in group["_avg"].values()} == {float}
    [group] = await library.book.group_by(["title"], avg=asked, where={"title": "Notes"})
    assert (group["_avg"]["rating"], group["_avg"]["price"]) == (None, None)


async def test_count_and_group_by(library: Any) -> None:
    assert await library.book.count() == 6
    assert await library.book.count(where={"pages": {"gte": 100}}) == 3
    assert await library.book.count(take=2, skip=1) == 2
    assert await library.book.count(select={"_all": True, "authorId": True}) == {"_all": 6, "authorId": 5}
    groups = await library.book.group_by(
        ["authorId"],
        count=True,
        sum={"pages": True},
        avg={"pages": True},
        min={"pages": True},
        max={"pages": True, "title": True},
        order={"authorId": "asc"},
        having={"pages": {"_sum": {"gt": 100}}},
    )
    by_sum = {group["_sum"]["pages"]: group for group in groups}
    assert set(by_sum) == {600, 110}
    assert by_sum[600]["_count"] == {"_all": 3}
    assert by_sum[600]["_avg"]["pages"] == 200
    assert by_sum[600]["_min"]["pages"] == 100
    assert by_sum[600]["_max"] == {"pages": 300, "title": "Numbers"}
    assert by_sum[600]["authorId"] is not None
    counted = await library.book.group_by(["published"], count={"authorId": True})
    assert counted == [{"published": False, "_count": {"authorId": 5}}]
    assert len(await library.book.group_by(["authorId"], order={"authorId": "asc"}, take=1, skip=1)) == 1


async def test_a_partial_model_reads_its_own_columns_only(library: Any, generated: ModuleType) -> None:
    class Spine(generated.bases.BaseBook):  # type: ignore[name-defined,misc]
        title: str

    class Shelf(generated.bases.BaseAuthor):  # type: ignore[name-defined,misc]
        email: str
        books: list[generated.models.Book]  # type: ignore[name-defined]

    spines = await generated.actions.BookActions(library, Spine).find_many(order={"pages": "desc"}, take=1)
    assert spines == [Spine(title="Numbers")]
    shelves = generated.actions.AuthorActions(library, Shelf)
    shelf = await shelves.find_unique(where={"email": "bo@example.org"}, include={"books": True})
    assert shelf.email == "bo@example.org"
    assert {book.title for book in shelf.books} == {"Winds", "Waves"}

    class Row(generated.bases.BaseAuthor):  # type: ignore[name-defined,misc]
        email: str
        books: list[Spine]

    rows = generated.actions.AuthorActions(library, Row)
    where = {"books": {"where": {"title": "Winds"}, "take": None}}
    row = await rows.find_unique(where={"email": "bo@example.org"}, include=where)
    assert row == Row(email="bo@example.org", books=[Spine(title="Winds")])


async def test_a_field_that_does_not_exist_is_named(library: Any, generated: ModuleType) -> None:
    with pytest.raises(errors.FieldNotFoundError, match="colour"):
        await library.book.find_many(where={"colour": "red"})
    with pytest.raises(errors.FieldNotFoundError, match="colour"):
        await library.book.find_many(order={"colour": "asc"})

    class Coloured(generated.bases.BaseBook):  # type: ignore[name-defined,misc]
        colour: str

    with pytest.raises(errors.FieldNotFoundError, match="Field 'colour' not found in enclosing type 'Book'"):
        await generated.actions.BookActions(library, Coloured).find_first()


async def test_fifty_lookups_at_once_each_get_their_own_answer(library: Any) -> None:
    import asyncio

    books = await library.book.find_many()
    wanted = [books[number % len(books)] for number in range(50)]
    found = await asyncio.gather(*(library.book.find_unique(where={"id": book.id}) for book in wanted))
    assert [book.title for book in found] == [book.title for book in wanted]
