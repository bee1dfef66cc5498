"""Json through the typed client: exact both ways, and never taken for a part of the call."""

from decimal import Decimal
from types import ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.database.values import json, stored
from tests.fixtures.values import same_json


@pytest.mark.parametrize(
    "value",
    [
        {"a": [1, 2.5, "x", None, True], "order_by": {"not_in": 1}, "$json": 1, "$bytes": "AA=="},
        [],
        "text",
        "",
        0,
        False,
        {"deep": {"er": [{"still": "é🦉\u2028"}]}},
    ],
)
async def test_json_of_any_shape(showcase: Any, value: Any) -> None:
    book = await stored(showcase, extra=json(value), notes=json(value))
    assert book.extra == value
    assert book.notes == value
    assert await showcase.book.count(where={"extra": {"equals": json(value)}}) == 1
    assert await showcase.book.count(where={"notes": {"not": json({"other": 1})}}) == 1


_ANY_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["__proto__", "constructor", "prototype", "toJSON", "$type", "$json", "a", ""]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@pytest.mark.slow
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=_ANY_JSON)
@example(value={"__proto__": None})
@example(value=[2**53 + 1, -(2**63), 2**64, 10**25, 1e20, 1e21, 1e-7, -0.5, 2.0**63])
async def test_json_is_exact(showcase: Any, generated: ModuleType, value: Any) -> None:
    book = await showcase.book.create(
        data={"title": "j", "extra": json(value), "notes": json(value), "papers": [json(value), json(None)]}
    )
    for found in (
        book,
        await showcase.book.find_unique(where={"id": book.id}),
        await showcase.query_first(
            'SELECT * FROM "Book" WHERE id = $1', book.id, model=generated.models.Book
        ),
    ):
        assert same_json(found.extra, value)
        assert same_json(found.notes, value)
        assert same_json(found.papers, [value, None])
    row = await showcase.query_first('SELECT extra, papers FROM "Book" WHERE id = $1', book.id)
    assert same_json(row, {"extra": value, "papers": [value, None]})
    several = [json([value]), json(value), json(" [")]
    await showcase.book.update(where={"id": book.id}, data={"papers": {"push": several}})
    pushed = await showcase.book.find_first(where={"papers": {"has": json([value])}, "id": book.id})
    assert same_json(pushed.papers, [value, None, [value], value, " ["])
    for none_or_one in ([], [json(value)]):
        changed = await showcase.book.update(where={"id": book.id}, data={"papers": {"push": none_or_one}})
    assert same_json(changed.papers, [*pushed.papers, value])


async def test_json_keys_are_texts_and_decimals_are_texts_of_their_digits(showcase: Any) -> None:
    given = {1: "a", 2.5: "b", False: "c", None: "d", "e": Decimal("12345678901234567890.10")}
    book = await stored(showcase, extra=json(given))
    assert book.extra == {"1": "a", "2.5": "b", "false": "c", "null": "d", "e": "12345678901234567890.10"}


async def test_null_stands_at_json_columns_whatever_they_are_called(showcase: Any) -> None:
    author = {
        "email": "a@b",
        "name": None,
        "profile": {"create": {"bio": "b", "settings": None}},
    }
    await showcase.book.create(
        data={"title": "none", "data": None, "rating": None, "author": {"create": author}}
    )
    nulls = {"data": {"equals": None}, "notes": {"equals": None}, "rating": None}
    assert await showcase.book.count(where={**nulls, "papers": {"equals": None}}) == 1
    assert await showcase.book.count(where={**nulls, "papers": {"equals": [json(None)]}}) == 0
    assert await showcase.book.count(where=nulls) == 1
    changes = {"rating": 1.5, "data": json({"data": None})}
    assert await showcase.book.update_many(where=nulls, data=changes) == 1
    book = await showcase.book.find_first(include={"author": {"include": {"profile": True}}})
    assert (book.data, book.rating) == ({"data": None}, 1.5)
    assert (book.author.name, book.author.profile.settings) == (None, None)


async def test_a_json_column_called_as_a_part_of_the_call_leaves_nulls_alone(showcase: Any) -> None:
    """`data`, `update`, `where` and `create` are such parts, also inside of nested writes."""
    values = {"title": "one", "data": json(1), "update": json(2), "where": json(3), "create": json(4)}
    author = await showcase.author.create(
        data={"email": "a@b", "books": {"create": [{**values, "rating": 1.5}]}}, include={"books": True}
    )
    [book] = author.books
    where, nothing = {"id": book.id}, {"rating": None, "printed": None, "data": None, "update": None}
    await showcase.author.update(
        where={"id": author.id}, data={"books": {"update": [{"where": where, "data": nothing}]}}
    )
    filters = {
        "rating": None,
        "data": {"equals": None},
        "where": {"equals": json(3)},
        "update": {"equals": None},
    }
    book = await showcase.book.find_first(where=filters)
    assert (book.rating, book.data, book.update, book.where, book.create) == (None, None, None, 3, 4)
    upsert = {
        "where": where,
        "create": {"title": "two"},
        "update": {**values, "rating": None, "create": None},
    }
    await showcase.author.update(where={"id": author.id}, data={"books": {"upsert": [upsert]}})
    assert await showcase.book.count(where={"create": {"equals": None}, "rating": None}) == 1
    many = {"data": [{"title": "three", "rating": None, "data": None}]}
    await showcase.author.update(where={"id": author.id}, data={"books": {"createMany": many}})
    kinds = await showcase.query_raw('SELECT data IS NULL AS missing FROM "Book" ORDER BY id')
    assert [row["missing"] for row in kinds] == [False, True]


async def test_json_null_is_not_the_databases_null(showcase: Any) -> None:
    nothing = await stored(showcase)
    emptied = await stored(showcase, notes=json({"x": 1}))
    emptied = await showcase.book.update(where={"id": emptied.id}, data={"notes": None})
    json_null = await stored(showcase, extra=json(None), notes=json(None))
    assert nothing.notes is emptied.notes is json_null.notes is None
    kinds = await showcase.query_raw(
        'SELECT id, notes IS NULL AS missing, extra::text AS extra FROM "Book" ORDER BY id'
    )
    assert [row["missing"] for row in kinds] == [True, True, False]
    assert kinds[2]["extra"] == "null"


async def test_json_filters_by_path(showcase: Any) -> None:
    await stored(showcase, extra=json({"tags": ["a", "b"], "size": 3}))
    where = {"extra": {"path": ["size"], "gt": json(2)}}
    assert await showcase.book.count(where=where) == 1
    assert await showcase.book.count(where={"extra": {"path": ["tags"], "array_contains": json(["a"])}}) == 1
    assert await showcase.book.count(where={"extra": {"path": ["tags"], "array_contains": json(["z"])}}) == 0


async def test_json_of_related_records(showcase: Any) -> None:
    author = await showcase.author.create(
        data={
            "email": "j@example.org",
            "profile": {"create": {"bio": "b", "settings": json({"theme": "dark"})}},
        },
        include={"profile": True},
    )
    assert author.profile.settings == {"theme": "dark"}
    cleared = await showcase.author.update(
        where={"id": author.id}, data={"profile": {"update": {"settings": None}}}, include={"profile": True}
    )
    assert cleared.profile.settings is None
