"""Every kind of value there and back, with the edges where the two clients differ."""

import base64
import datetime
import enum
from decimal import Decimal
from types import ModuleType
from typing import Any

import pytest
from prisma import Base64, errors

from tests.database.values import json, stored

UTC = datetime.UTC


@pytest.mark.parametrize(
    "number", [0, 1, -1, 2**31, 2**53 - 1, 2**53, 2**53 + 1, -(2**53) - 1, 2**63 - 1, -(2**63)]
)
async def test_bigint_is_exact(showcase: Any, number: int) -> None:
    assert (await stored(showcase, views=number)).views == number
    assert await showcase.book.count(where={"views": {"equals": number}}) == 1
    summed = await showcase.book.group_by(["title"], sum={"views": True})
    assert summed[0]["_sum"]["views"] == number


async def test_a_number_beyond_the_column_is_refused(showcase: Any) -> None:
    with pytest.raises(errors.PrismaError):
        await showcase.book.create(data={"title": "x", "views": 2**63})
    with pytest.raises(errors.PrismaError):
        await showcase.book.create(data={"title": "x", "pages": 2**31})


@pytest.mark.parametrize("number", ["0", "1.5", "-12345678901234567890.0123456789", "0.0000000001"])
async def test_decimal_is_exact(showcase: Any, number: str) -> None:
    assert (await stored(showcase, price=Decimal(number))).price == Decimal(number)
    assert await showcase.book.count(where={"price": {"gte": Decimal(number)}}) == 1


@pytest.mark.parametrize("content", [b"", b"\x00\xff\x10binary", bytes(range(256)) * 300])
async def test_bytes(showcase: Any, content: bytes) -> None:
    book = await stored(showcase, cover=Base64.encode(content))
    assert book.cover.decode() == content
    assert base64.b64decode(str(book.cover)) == content


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (
            datetime.datetime(2025, 10, 23, 22, 45, 24, 940_000, UTC),
            datetime.datetime(2025, 10, 23, 22, 45, 24, 940_000, UTC),
        ),
        (
            datetime.datetime(2025, 1, 1, 12, 0, 0, 123_999, UTC),
            datetime.datetime(2025, 1, 1, 12, 0, 0, 123_000, UTC),
        ),
        (
            datetime.datetime(2025, 1, 1, tzinfo=datetime.timezone(datetime.timedelta(hours=-3))),
            datetime.datetime(2025, 1, 1, 3, tzinfo=UTC),
        ),
        (
            datetime.datetime(1969, 7, 20, 20, 17, 40, tzinfo=UTC),
            datetime.datetime(1969, 7, 20, 20, 17, 40, tzinfo=UTC),
        ),
        (datetime.datetime(2025, 1, 1), datetime.datetime(2025, 1, 1, tzinfo=UTC)),  # noqa: DTZ001 - naive on purpose
    ],
)
async def test_datetime_in_utc_with_milliseconds(
    showcase: Any, given: datetime.datetime, kept: datetime.datetime
) -> None:
    assert (await stored(showcase, printed=given)).printed == kept
    assert await showcase.book.count(where={"printed": {"lte": given}}) == 1
    assert await showcase.book.count(where={"printed": {"lt": given}}) == 0


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
async def test_what_json_cannot_say_is_refused_both_ways(showcase: Any, number: float) -> None:
    for values in ({"rating": number}, {"extra": json({"a": [number]})}):
        with pytest.raises(errors.InputError, match=r"finite|JSON"):
            await showcase.book.create(data={"title": "x", **values})
    await showcase.execute_raw(f"""INSERT INTO "Book" (title, rating) VALUES ('x', '{number}')""")
    with pytest.raises(errors.DataError, match="rating holds"):
        await showcase.book.find_many()
    [row] = await showcase.query_raw('SELECT rating FROM "Book"')
    assert str(row["rating"]) == str(number)


@pytest.mark.parametrize("moment", ["infinity", "-infinity", "0044-03-15 BC", "10000-01-01"])
async def test_moments_that_python_has_not_are_refused(showcase: Any, moment: str) -> None:
    await showcase.execute_raw(f"""INSERT INTO "Book" (title, printed) VALUES ('x', '{moment}')""")
    with pytest.raises(errors.DataError, match="printed holds"):
        await showcase.book.find_many()


async def test_bytes_that_are_none_are_refused_and_lists_of_them_are_exact(showcase: Any) -> None:
    with pytest.raises(errors.InputError, match="base64"):
        await showcase.book.create(data={"title": "x", "cover": Base64.fromb64("!!!")})
    given = [Base64.encode(b"one"), Base64.encode(bytes(range(256)))]
    book = await showcase.book.create(data={"title": "x", "pages_scanned": given})
    assert book.pages_scanned == given
    book = await showcase.book.update(where={"id": book.id}, data={"pages_scanned": {"set": given[:1]}})
    assert book.pages_scanned == given[:1]
    book = await showcase.book.update(where={"id": book.id}, data={"pages_scanned": {"push": given[1:]}})
    assert book.pages_scanned == given
    assert await showcase.book.count(where={"pages_scanned": {"has": given[0]}}) == 1
    for where, count in [
        ({"equals": given}, 1),
        ({"equals": given[:1]}, 0),
        ({"has_every": given}, 1),
        ({"has_some": [given[0], Base64.encode(b"none")]}, 1),
        ({"has_some": [Base64.encode(b"none")]}, 0),
    ]:
        assert await showcase.book.count(where={"pages_scanned": where}) == count, where
    book = await showcase.book.update(where={"id": book.id}, data={"pages_scanned": {"push": given}})
    assert book.pages_scanned == given * 2
    assert await showcase.book.update_many(where={}, data={"pages_scanned": {"set": given}}) == 1
    assert (await showcase.book.find_unique(where={"id": book.id})).pages_scanned == given


async def test_subclasses_of_plain_values_are_plain_values(showcase: Any) -> None:
    class Mixin:
        pass

    class Word(str, Mixin):
        def __str__(self) -> str:
            return "other"

    class Kind(str, enum.Enum):  # noqa: UP042 - a mix-in on purpose
        plain = "plain"

        def __str__(self) -> str:
            return "other"

    class Size(enum.IntEnum):
        large = 2**60

    book = await stored(
        showcase, words=[Word("word"), Kind.plain], views=Size.large, extra=json([Kind.plain])
    )
    assert (book.words, book.views, book.extra) == (["word", "plain"], 2**60, ["plain"])
    assert await showcase.book.count(where={"words": {"has": Kind.plain}, "views": Size.large}) == 1


async def test_enums_with_mapped_names(showcase: Any, generated: ModuleType) -> None:
    rank = generated.enums.Rank
    author = await showcase.author.create(data={"email": "r@example.org", "rank": rank.last})
    assert author.rank == rank.last
    assert await showcase.author.count(where={"rank": rank.last}) == 1
    assert await showcase.author.count(where={"rank": {"in": [rank.first]}}) == 0
    assert (await showcase.author.update(where={"id": author.id}, data={"rank": "first"})).rank == rank.first
    in_database = await showcase.query_raw("SELECT unnest(enum_range(NULL::rank))::text AS name")
    assert [row["name"] for row in in_database] == ["first", "the-last"]


async def test_scalar_lists(showcase: Any, generated: ModuleType) -> None:
    book = await stored(showcase, words=["a", "b"], sizes=[3, 1], ranks=["last", "first"])
    assert (book.words, book.sizes) == (["a", "b"], [3, 1])
    assert book.ranks == [generated.enums.Rank.last, generated.enums.Rank.first]
    for where, count in [
        ({"words": {"has": "a"}}, 1),
        ({"words": {"has_every": ["a", "z"]}}, 0),
        ({"words": {"has_some": ["a", "z"]}}, 1),
        ({"words": {"is_empty": True}}, 0),
        ({"sizes": {"equals": [3, 1]}}, 1),
    ]:
        assert await showcase.book.count(where=where) == count, where
    pushed = await showcase.book.update(
        where={"id": book.id}, data={"words": {"push": ["c"]}, "sizes": {"set": []}}
    )
    assert (pushed.words, pushed.sizes) == (["a", "b", "c"], [])


@pytest.mark.parametrize("text", ["", "é🦉 عربي", "quote ' \" \\ ; -- $1", "line\nbreak\ttab", "x" * 100_000])
async def test_text_to_the_character(showcase: Any, text: str) -> None:
    assert (await stored(showcase, words=[text])).words == [text]
    assert await showcase.book.count(where={"words": {"has": text}}) == 1


async def test_float_and_boolean(showcase: Any) -> None:
    book = await stored(showcase, rating=0.1, published=True)
    assert (book.rating, book.published) == (0.1, True)
