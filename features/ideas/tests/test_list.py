"""Filters and pages of the list."""

import re

import httpx
import pytest

from features.ideas.tests.factories import (
    IDEAS,
    add_system,
    create,
    seed,
)
from tests.fixtures.database import Connection
from tests.fixtures.pages import Pages, cursor_of, ids

pages = Pages(IDEAS)
page, walk = pages.page, pages.walk


async def test_without_parameters_everything_newest_first(
    client: httpx.AsyncClient, connection: Connection
) -> None:
    await seed(connection, 1203)
    body = await page(client)
    assert body["count"] == body["total"] == 1203
    assert "nextCursor" not in body
    expected = sorted(body["data"], key=lambda idea: idea["id"])
    expected.sort(key=lambda idea: idea["createdAt"], reverse=True)
    assert body["data"] == expected
    assert {idea["system"]["name"] for idea in body["data"]} == {f"System {n}" for n in range(1, 11)}


async def test_a_page_has_twenty_when_only_its_place_is_given(
    client: httpx.AsyncClient, connection: Connection
) -> None:
    await seed(connection, 45)
    everything = ids(await page(client))
    first = await page(client, offset=0)
    assert (first["count"], first["total"]) == (20, 45)
    second = await page(client, cursor=first["nextCursor"])
    third = await page(client, offset=40)
    assert (second["count"], third["count"]) == (20, 5)
    assert "nextCursor" in second
    assert "nextCursor" not in third
    assert [*ids(first), *ids(second), *ids(third)] == everything
    assert (await page(client, order_by="title"))["count"] == 45
    assert (await page(client, status="review"))["count"] == (await page(client, status="review"))["total"]
    assert (await page(client, limit=100))["count"] == 45


@pytest.mark.parametrize("order_by", ["created_at", "title", "due_date"])
async def test_pages_by_offset_make_the_whole_list(
    client: httpx.AsyncClient, connection: Connection, order_by: str
) -> None:
    await seed(connection, 25)
    everything = ids(await page(client, order_by=order_by))
    pages = [await page(client, limit=10, offset=offset, order_by=order_by) for offset in (0, 10, 20, 30)]
    assert [body["count"] for body in pages] == [10, 10, 5, 0]
    assert [body["total"] for body in pages] == [25] * 4
    assert [idea_id for body in pages for idea_id in ids(body)] == everything


@pytest.mark.parametrize("direction", ["desc", "asc"])
@pytest.mark.parametrize(
    "filters", [{}, {"search": "about"}, {"status": "review", "assigned_to": "person-7"}]
)
@pytest.mark.parametrize("limit", [1, 3, 100])
async def test_pages_by_cursor_make_the_whole_list(
    client: httpx.AsyncClient, connection: Connection, direction: str, filters: dict[str, str], limit: int
) -> None:
    await seed(connection, 25)
    await connection.execute("UPDATE ideas SET assigned_to = 'person-7'")
    everything = await page(client, order_direction=direction, **filters)
    assert everything["count"] >= 5
    assert await walk(client, limit=limit, order_direction=direction, **filters) == ids(everything)


async def test_cursor_pages_are_stable_while_ideas_come_and_go(
    client: httpx.AsyncClient, connection: Connection
) -> None:
    await seed(connection, 30)
    expected = ids(await page(client))
    body = await page(client, limit=5)
    found = ids(body)
    while "nextCursor" in body:
        await create(client)
        assert (await client.delete(f"{IDEAS}/{found[-1]}")).status_code == 200
        body = await page(client, limit=5, cursor=body["nextCursor"])
        found += ids(body)
    assert found == expected


async def test_filters_and_their_totals(client: httpx.AsyncClient, connection: Connection) -> None:
    await seed(connection, 200)
    rows = (await page(client))["data"]
    fields = {"system_id": "systemId", "assigned_to": "assignedTo"}
    cases: list[dict[str, str]] = [
        {"status": "new"},
        {"status": "completed"},
        {"category": "api"},
        {"priority": "low"},
        {"system_id": "system-3"},
        {"assigned_to": "person-7"},
        {"system_id": "nobody"},
        {"assigned_to": "nobody"},
        {"status": "review", "priority": "high"},
        {"status": "review", "category": "docs", "priority": "high", "system_id": "system-3"},
    ]
    for filters in cases:
        expected = [
            row["id"]
            for row in rows
            if all(row.get(fields.get(key, key)) == value for key, value in filters.items())
        ]
        assert bool(expected) == ("nobody" not in filters.values())
        assert ids(await page(client, **filters)) == expected
        assert await walk(client, **filters, limit=3) == expected
        assert (await page(client, **filters, limit=1))["total"] == len(expected)
        for extra in ({"order_by": "title"}, {"search": "about"}):
            other = await page(client, **filters, **extra)
            assert sorted(ids(other)) == sorted(expected)
            assert other["total"] == len(expected)


PLACE = cursor_of("2025-01-01T00:00:00.000Z", "a")


@pytest.mark.parametrize(
    ("parameters", "field"),
    [
        ({"limit": "0"}, "limit"),
        ({"limit": "101"}, "limit"),
        ({"limit": "x"}, "limit"),
        ({"limit": "9" * 400}, "limit"),
        ({"offset": "-1"}, "offset"),
        ({"offset": "9999999999999"}, "offset"),
        ({"status": "done"}, "status"),
        ({"status": ""}, "status"),
        ({"category": "x"}, "category"),
        ({"priority": "LOW"}, "priority"),
        ({"system_id": "a\0"}, "system_id"),
        ({"assigned_to": "x" * 201}, "assigned_to"),
        ({"search": "a"}, "search"),
        ({"search": " a "}, "search"),
        ({"search": ""}, "search"),
        ({"search": "x" * 101}, "search"),
        ({"search": "ab\0"}, "search"),
        ({"order_by": "id; DROP TABLE ideas"}, "order_by"),
        ({"order_by": "createdAt"}, "order_by"),
        ({"order_direction": "down"}, "order_direction"),
        ({"cursor": ""}, "cursor"),
        ({"cursor": "%%%"}, "cursor"),
        ({"cursor": cursor_of("yesterday", "a")}, "cursor"),
        ({"cursor": cursor_of("0001-01-01T00:00:00+23:59", "a")}, "cursor"),
        ({"cursor": cursor_of("2025-01-01T00:00:00.000Z", "\ud800")}, "cursor"),
        ({"cursor": cursor_of(1, 2)}, "cursor"),
        ({"cursor": PLACE, "offset": "1"}, "offset"),
        ({"cursor": PLACE, "order_by": "title"}, "cursor"),
    ],
)
async def test_a_wrong_parameter_is_refused(
    client: httpx.AsyncClient, parameters: dict[str, str], field: str
) -> None:
    response = await client.get(IDEAS, params=parameters)
    assert response.status_code == 400
    assert [detail["field"] for detail in response.json()["details"]] == [field]


@pytest.mark.parametrize(
    "moment", ["0001-01-01T00:00:00.000Z", "2025-01-01T00:00:01.000Z", "9999-12-31T23:59:59.999Z"]
)
@pytest.mark.parametrize("idea_id", ["", "seed-3", "\U0010ffff"])
async def test_a_forged_cursor_is_a_place_like_any_other(
    client: httpx.AsyncClient, connection: Connection, moment: str, idea_id: str
) -> None:
    await seed(connection, 5)
    expected = [
        each["id"]
        for each in (await page(client))["data"]
        if each["createdAt"] < moment or (each["createdAt"] == moment and each["id"] > idea_id)
    ]
    for extra in ({}, {"search": "about"}):
        assert ids(await page(client, cursor=cursor_of(moment, idea_id), **extra)) == expected


@pytest.mark.parametrize(
    "query",
    [
        "",
        "/kanban",
        "?limit=100",
        "?limit=1",
        "?limit=1&offset=0&status=triage",
        "?order_by=title",
        "?order_by=due_date&limit=1",
        "?search=about",
        "?search=about&limit=1",
        "?system_id=system-1&limit=1",
    ],
)
async def test_a_list_with_its_systems_and_total_takes_two_queries_at_most(
    client: httpx.AsyncClient, connection: Connection, query: str
) -> None:
    names = set()
    for count, systems in ((10, 1), (20, 10), (100, 100)):
        await connection.execute("TRUNCATE ideas, systems CASCADE")
        await seed(connection, count, systems)
        await add_system(connection, "Its own", "own")
        # A write, so that the list is not a cached one.
        idea = await create(client, status="triage", systemId="own", title="About", dueDate="2000-01-01")
        await connection.execute("UPDATE ideas SET system_id = 'system-1' WHERE id = $1", idea["id"])
        if "limit=100" in query:
            await connection.execute("DELETE FROM ideas WHERE id = $1", idea["id"])
        response = await client.get(f"{IDEAS}{query}")
        assert response.headers["x-cache"] == "MISS"
        timing = response.headers["server-timing"]
        [queries] = re.findall(r'desc="(\d+) quer', timing)
        assert int(queries) <= 2, (count, timing)
        names |= set(re.findall(r'"system":\{"id":"[^"]+","name":"([^"]+)"', response.text))
    assert names
