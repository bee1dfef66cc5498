"""The additive paging and filters of the list."""

import re
from typing import Literal
from unicodedata import combining, normalize

import httpx
import pytest

from features.items.tests.factories import create, seed
from tests.fixtures.database import Connection
from tests.fixtures.pages import Pages, cursor_of, ids

Form = Literal["NFC", "NFD"]
CATEGORIES = ["documentacao", "coleta-dados", "banco-dados", "analise-dados", "gestao-riscos"]

pages = Pages("/api/items")
page, walk = pages.page, pages.walk


async def test_pages_by_offset_make_the_whole_list(client: httpx.AsyncClient, connection: Connection) -> None:
    await seed(connection, 25)
    everything = ids(await page(client))
    pages = [await page(client, limit=10, offset=offset) for offset in (0, 10, 20, 30)]
    assert [body["count"] for body in pages] == [10, 10, 5, 0]
    assert [body["total"] for body in pages] == [25, 25, 25, 25]
    assert ["nextCursor" in body for body in pages] == [True, True, False, False]
    assert [item_id for body in pages for item_id in ids(body)] == everything


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 25, 26, 1000])
async def test_pages_by_cursor_make_the_whole_list(
    client: httpx.AsyncClient, connection: Connection, limit: int
) -> None:
    await seed(connection, 25)
    assert await walk(client, limit=limit) == ids(await page(client))


async def test_a_cursor_without_limit_gives_the_rest(
    client: httpx.AsyncClient, connection: Connection
) -> None:
    await seed(connection, 25)
    first = await page(client, limit=5)
    rest = await page(client, cursor=first["nextCursor"])
    assert (rest["count"], rest["total"]) == (20, 25)
    assert "nextCursor" not in rest
    assert ids(first) + ids(rest) == ids(await page(client))


async def test_an_offset_without_limit_gives_the_rest(
    client: httpx.AsyncClient, connection: Connection
) -> None:
    await seed(connection, 25)
    rest = await page(client, offset=22)
    assert ids(rest) == ids(await page(client))[22:]
    assert rest["total"] == 25


@pytest.mark.parametrize(
    "parameters", [{}, {"status": "review"}, {"q": "word"}, {"q": "idea", "category": "dashboard"}]
)
async def test_cursor_pages_are_stable_while_rows_come_and_go(
    client: httpx.AsyncClient, connection: Connection, parameters: dict[str, str]
) -> None:
    await seed(connection, 60)
    await connection.execute("UPDATE items SET category = 'dashboard' WHERE substr(id, 6)::int % 2 = 0")
    expected = ids(await page(client, **parameters))
    body = await page(client, limit=5, **parameters)
    found = ids(body)
    while "nextCursor" in body:
        await create(client, title="idea", description="word")
        last = found[-1]
        assert (await client.delete(f"/api/items/{last}")).status_code == 200
        body = await page(client, limit=5, **parameters, cursor=body["nextCursor"])
        found += ids(body)
    assert found == expected


async def test_filters_and_their_totals(client: httpx.AsyncClient, connection: Connection) -> None:
    await seed(connection, 100)
    rows = (await page(client))["data"]
    cases: list[dict[str, str]] = [
        {"status": "review"},
        {"category": "banco-dados"},
        {"category": "dashboard"},
        {"priority": "critical"},
        {"status": "review", "priority": "high"},
        {"status": "review", "category": "coleta-dados", "priority": "high"},
    ]
    for filters in cases:
        expected = [row["id"] for row in rows if all(row[key] == value for key, value in filters.items())]
        assert ids(await page(client, **filters)) == expected
        assert await walk(client, **filters, limit=3) == expected
        assert (await page(client, **filters, limit=1))["total"] == len(expected)
    assert [row["id"] for row in rows if "tag7" in row["tags"]] == ids(await page(client, tag="tag7"))
    assert (await page(client, tag="tag7", status="new"))["total"] == 0


async def test_a_tag_is_matched_whole_and_to_the_character(client: httpx.AsyncClient) -> None:
    tags = ["ui", "UI", "ui ", "u", "a,b", '{"x"}', "NULL", "", "é", "🚀", "%"]
    items = {tag: (await create(client, tags=["other", tag]))["id"] for tag in tags}
    for tag, item_id in items.items():
        assert ids(await page(client, tag=tag)) == [item_id]


@pytest.mark.parametrize(
    ("q", "found"),
    [
        ("dark", ["1"]),
        ("DARK Mode", ["1"]),
        ("mode dark", ["1"]),
        ("da mo", ["1"]),
        ("ark", []),
        ("dark theme", ["1"]),
        ("dark absent", []),
        ("implementação", ["2"]),
        ("IMPLEMENTAÇÃO", ["2"]),
        ("implementa", ["2"]),
        ("implementacao", ["2"]),
        ("água", ["2"]),
        ("100", ["3"]),
        ("100%", ["3"]),
        ("a_b", ["3"]),
        ("foo-bar", ["3"]),
        ("foo-ba", ["3"]),
        ("bar", ["3"]),
        ("o'brien", ["3"]),
        ("back\\slash", ["3"]),
        ("日本", ["4"]),
        ("%", []),
        ("_", []),
        ("dark & mode", ["1"]),
        ("dark | implementação", []),
        ("!dark", ["1"]),
        ("dark:*", ["1"]),
        ("(dark", ["1"]),
        ("<->", []),
        ("' OR 1=1 --", []),
        ("':*", []),
        ("\\", []),
        ("'\\''", []),
        ("", ["4", "3", "2", "1"]),
        ("  ", ["4", "3", "2", "1"]),
    ],
)
async def test_q_finds_items_in_which_every_word_begins_one(
    client: httpx.AsyncClient, connection: Connection, q: str, found: list[str]
) -> None:
    texts = [
        ("Dark mode", "A theme"),
        ("Implementação", "de ÁGUA 🚀"),
        ("100% of a_b", "foo-bar O'Brien back\\slash"),
        ("日本語", "text"),
    ]
    for number, (title, description) in enumerate(texts, 1):
        item = await create(client, title=title, description=description)
        await connection.execute(
            "UPDATE items SET id = $1, created_at = to_timestamp($2) WHERE id = $3",
            str(number),
            float(number),
            item["id"],
        )
    body = await page(client, q=q, limit=100)
    assert ids(body) == found
    assert body["total"] == len(found)


@pytest.mark.parametrize("form", ["NFC", "NFD"])
async def test_q_finds_with_and_without_accents_in_either_form(client: httpx.AsyncClient, form: Form) -> None:
    """Whatever form the text has, and whatever the query."""
    words = ["Ação", "Ångström", "naïve", "crème brûlée", "Việt", "d'été", "ÉTÉ", "plain"]
    made = {word: (await create(client, title=normalize(form, word)))["id"] for word in words}
    plain = {"ÉTÉ": "ete", "d'été": "d'ete", "Ångström": "angstrom", "Việt": "viet"}
    for word, item_id in made.items():
        bare = plain.get(word) or "".join(c for c in normalize("NFD", word) if not combining(c))
        for typed in (word, word.lower(), word.upper(), bare, bare.upper(), word[:3]):
            for q in (normalize("NFC", typed), normalize("NFD", typed)):
                assert item_id in ids(await page(client, q=q)), (word, q)
    assert ids(await page(client, q="acao")) == [made["Ação"]]
    assert ids(await page(client, q="acoes")) == []


async def test_q_is_combined_with_the_other_filters_and_pages(
    client: httpx.AsyncClient, connection: Connection
) -> None:
    await seed(connection, 120)
    rows = (await page(client))["data"]
    filters = {"status": "review", "priority": "medium", "category": "coleta-dados"}
    expected = [row["id"] for row in rows if all(row[key] == value for key, value in filters.items())]
    assert expected
    assert await walk(client, q="idea more", limit=2, **filters) == expected
    assert ids(await page(client, q="idea", limit=3, offset=1, **filters)) == expected[1:4]
    assert ids(await page(client, q="about", tag="tag20")) == ["seed-20"]


@pytest.mark.parametrize(
    ("parameters", "field"),
    [
        ({"limit": "0"}, "limit"),
        ({"limit": "-1"}, "limit"),
        ({"limit": "1001"}, "limit"),
        ({"limit": "x"}, "limit"),
        ({"limit": "1.5"}, "limit"),
        ({"limit": "9" * 400}, "limit"),
        ({"offset": "-1"}, "offset"),
        ({"offset": "9999999999999"}, "offset"),
        ({"status": "done"}, "status"),
        ({"status": ""}, "status"),
        ({"category": "x"}, "category"),
        ({"priority": "LOW"}, "priority"),
        ({"tag": "a\0"}, "tag"),
        ({"tag": "x" * 201}, "tag"),
        ({"q": "\0"}, "q"),
        ({"q": "x" * 201}, "q"),
        ({"cursor": ""}, "cursor"),
        ({"cursor": "%%%"}, "cursor"),
        ({"cursor": "é"}, "cursor"),
        ({"cursor": cursor_of("2025-01-01T00:00:00.000Z")}, "cursor"),
        ({"cursor": cursor_of(1, 2)}, "cursor"),
        ({"cursor": cursor_of("yesterday", "a")}, "cursor"),
        ({"cursor": cursor_of("2025-01-01T00:00:00.000Z", "a\0")}, "cursor"),
        ({"cursor": cursor_of("0001-01-01T00:00:00+23:59", "a")}, "cursor"),
        ({"cursor": cursor_of("9999-12-31T23:59:59-23:59", "a")}, "cursor"),
        ({"cursor": cursor_of("2025-01-01", "a")}, "cursor"),
        ({"cursor": cursor_of("2025-01-01T00:00:00.000Z", "\ud800")}, "cursor"),
        ({"cursor": cursor_of("2025-01-01T00:00:00.000Z", "a"), "offset": "1"}, "offset"),
    ],
)
async def test_a_wrong_parameter_is_refused(
    client: httpx.AsyncClient, parameters: dict[str, str], field: str
) -> None:
    response = await client.get("/api/items", params=parameters)
    assert response.status_code == 400
    assert [detail["field"] for detail in response.json()["details"]] == [field]


@pytest.mark.parametrize(
    "moment", ["0001-01-01T00:00:00.000Z", "2025-01-01T00:00:01.000Z", "9999-12-31T23:59:59.999Z"]
)
@pytest.mark.parametrize("item_id", ["", "%", "'; --", "\U0010ffff"])
async def test_a_forged_cursor_is_a_place_like_any_other(
    client: httpx.AsyncClient, connection: Connection, moment: str, item_id: str
) -> None:
    await seed(connection, 5)
    expected = [
        each["id"]
        for each in (await page(client))["data"]
        if each["createdAt"] < moment or (each["createdAt"] == moment and each["id"] > item_id)
    ]
    assert ids(await page(client, cursor=cursor_of(moment, item_id))) == expected
    assert ids(await page(client, cursor=cursor_of(moment, item_id), q="idea")) == expected


async def test_unknown_parameters_are_ignored(client: httpx.AsyncClient) -> None:
    item = await create(client)
    assert ids(await page(client, _=1, page=2, sort="title")) == [item["id"]]


@pytest.mark.parametrize(
    "query",
    ["", "?limit=1000", "?limit=5", "?limit=5&offset=5", "?status=new", "?q=idea&limit=5", "?offset=3"],
)
async def test_a_list_takes_as_many_queries_whatever_its_length(
    client: httpx.AsyncClient, connection: Connection, query: str
) -> None:
    """One for rows and total; of a match one for the places too, and one for a total beyond the page."""
    for count in (10, 600):
        await connection.execute("TRUNCATE items")
        await seed(connection, count)
        # A write, so that the list is not a cached one.
        await client.delete(f"/api/items/{(await create(client))['id']}")
        response = await client.get(f"/api/items{query}")
        assert response.headers["x-cache"] == "MISS"
        [queries] = re.findall(r'desc="(\d+) quer', response.headers["server-timing"])
        shown, total = response.json()["count"], response.json()["total"]
        assert int(queries) == (1 if "q=" not in query else 2 + (shown < total))
