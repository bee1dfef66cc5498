"""Lists: every published filter and order, pages, bare lists, search and figures; at a constant cost."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from features.files.tests.factories import (
    FILES,
    PDF,
    PNG,
    JsonObject,
    add_idea,
    add_system,
    listed,
    seed,
    upload,
)
from tests.fixtures.database import Connection


async def names(client: httpx.AsyncClient, **query: Any) -> list[str]:
    return [each["filename"] for each in (await listed(client, **query))["data"]]


def queries_of(response: httpx.Response) -> int:
    return int(response.headers["server-timing"].split('desc="')[1].split(" ")[0])


@pytest.fixture
async def five(client: httpx.AsyncClient, store: Path, connection: Connection) -> list[JsonObject]:
    """a.txt to e.csv, a day apart, the oldest first."""
    await add_idea(connection, "idea")
    await add_system(connection, "system")
    made = [
        await upload(client, "a.txt", b"1", actor="ada", idea_id="idea", description="Relatório de vendas"),
        await upload(client, "b.pdf", PDF, actor="bob", system_id="system", is_public="true"),
        await upload(client, "c.png", PNG, actor="ada", is_public="true"),
        await upload(client, "d_quarterly-report.txt", b"22", idea_id="idea", system_id="system"),
        await upload(client, "e.csv", b"333", actor="bob"),
    ]
    for day, file in enumerate(made, start=1):
        await connection.execute(
            "UPDATE files SET created_at = $1::text::timestamptz WHERE id = $2",
            f"2025-03-0{day}T12:00:00Z",
            file["id"],
        )
    return made


SELECTIONS: list[tuple[dict[str, Any], str]] = [
    ({}, "edcba"),
    ({"system_id": "system"}, "db"),
    ({"idea_id": "idea"}, "da"),
    ({"idea_id": "idea", "system_id": "system"}, "d"),
    ({"idea_id": "unknown"}, ""),
    ({"uploaded_by": "ada"}, "ca"),
    ({"mime_type": "text/plain"}, "da"),
    ({"mime_type": "application/pdf"}, "b"),
    ({"is_public": "true"}, "cb"),
    ({"is_public": "false"}, "eda"),
    ({"min_size": 2, "max_size": 3}, "ed"),
    ({"min_size": 10**18}, ""),
    ({"max_size": 10**18}, "edcba"),
    ({"max_size": 0}, ""),
    ({"created_from": "2025-03-04T12:00:00Z"}, "ed"),
    ({"created_to": "2025-03-02T13:00:00+01:00"}, "ba"),
    ({"created_from": "2025-03-02", "created_to": "2025-03-04"}, "cb"),
    ({"search": "relatorio"}, "a"),
    ({"search": "VENDA"}, "a"),
    ({"search": "quarterly rep"}, "d"),
    ({"search": "nothing"}, ""),
    ({"search": "  "}, "edcba"),
    ({"search": "e.csv", "uploaded_by": "bob"}, "e"),
    ({"search": "e.csv", "uploaded_by": "ada"}, ""),
    ({"limit": 2}, "ed"),
    ({"limit": 2, "offset": 3}, "ba"),
    ({"offset": 9}, ""),
    ({"order_by": "created_at", "order_direction": "ASC"}, "abcde"),
    ({"order_by": "size", "order_direction": "ASC"}, "adecb"),
    ({"order_by": "size"}, "bceda"),
    ({"order_by": "filename", "order_direction": "ASC"}, "abcde"),
    ({"order_by": "filename", "order_direction": "DESC"}, "edcba"),
    ({"order_by": "mime_type", "order_direction": "ASC"}, "bceda"),
    ({"order_by": "mime_type"}, "adecb"),
]
"""A query, and the first letters of what it finds."""

WRONG: list[dict[str, Any]] = [
    {"limit": 0},
    {"limit": 101},
    {"offset": -1},
    {"order_by": "owner"},
    {"order_direction": "asc"},
    {"is_public": "perhaps"},
    {"min_size": -1},
    {"max_size": "x"},
    {"created_from": "yesterday"},
    {"search": "x" * 201},
    {"idea_id": "\0"},
    {"cursor": "x"},
]


async def test_filters_and_orders(client: httpx.AsyncClient, five: list[JsonObject]) -> None:
    for query, expected in SELECTIONS:
        assert "".join(name[0] for name in await names(client, **query)) == expected, query


async def test_a_wrong_parameter_is_named(client: httpx.AsyncClient) -> None:
    for query in WRONG:
        response = await client.get(FILES, params=query)
        assert response.status_code == 400, query
        assert [detail["field"] for detail in response.json()["details"]] == list(query)


async def test_the_envelope_counts(client: httpx.AsyncClient, five: list[JsonObject]) -> None:
    body = await listed(client, limit=2)
    assert (body["success"], body["count"], body["total"]) == (True, 2, 5)
    assert body["nextCursor"]
    last = await listed(client, limit=2, offset=4)
    assert (last["count"], last["total"]) == (1, 5)
    assert "nextCursor" not in last


async def test_fifty_at_a_time_unless_told_otherwise(
    client: httpx.AsyncClient, connection: Connection
) -> None:
    await seed(connection, 120)
    body = await listed(client)
    assert (body["count"], body["total"]) == (50, 120)
    assert (await listed(client, limit=100))["count"] == 100


async def test_the_files_of_an_idea_or_a_system_are_bare_lists(
    client: httpx.AsyncClient, five: list[JsonObject]
) -> None:
    for path, expected in [
        ("idea/idea", "da"),
        ("system/system", "db"),
        ("idea/none", ""),
        ("system/none", ""),
    ]:
        response = await client.get(f"{FILES}/{path}")
        assert response.status_code == 200
        assert "".join(each["filename"][0] for each in response.json()) == expected
    assert (await client.get(f"{FILES}/idea/{'x' * 129}")).status_code == 400
    assert (await client.get(f"{FILES}/idea/%00")).status_code == 400


async def test_a_deleted_idea_is_gone_from_its_files(client: httpx.AsyncClient, store: Path) -> None:
    values = {"title": "T", "description": "D", "category": "docs", "priority": "low"}
    idea = (await client.post("/api/v1/ideas", json=values)).json()["data"]
    values = {"name": "S", "description": "D", "status": "online"}
    system = (await client.post("/api/v1/systems", json=values)).json()["data"]
    file = await upload(client, idea_id=idea["id"], system_id=system["id"])
    one = f"{FILES}/{file['id']}"
    for link, path in (("ideaId", "ideas"), ("systemId", "systems")):
        assert (await client.get(one)).json()["data"][link] == file[link]
        assert len((await client.get(f"{FILES}/{path[:-1]}/{file[link]}")).json()) == 1
        assert (await client.delete(f"/api/v1/{path}/{file[link]}")).status_code == 200
        assert link not in (await client.get(one)).json()["data"]
        assert (await client.get(f"{FILES}/{path[:-1]}/{file[link]}")).json() == []


async def test_search_puts_the_best_match_first(client: httpx.AsyncClient, store: Path) -> None:
    await upload(client, "notes.txt", description="mentions a budget once")
    await upload(client, "budget.txt", description="the budget of the year")
    await upload(client, "other.txt")
    response = await client.get(f"{FILES}/search", params={"q": "budget"})
    assert [each["filename"] for each in response.json()] == ["budget.txt", "notes.txt"]
    for q, expected in [("BUDG", 2), ("year bud", 1), ("& | ! ( ' :*", 0), ("nothing", 0)]:
        assert len((await client.get(f"{FILES}/search", params={"q": q})).json()) == expected, q
    assert len((await client.get(f"{FILES}/search", params={"q": "budget", "limit": 1})).json()) == 1


@pytest.mark.parametrize("q", [None, "", "x", " x ", "x" * 201, "a\0b"])
async def test_a_search_needs_two_characters(client: httpx.AsyncClient, q: str | None) -> None:
    response = await client.get(f"{FILES}/search", params={} if q is None else {"q": q})
    assert response.status_code == 400
    assert response.json()["details"][0]["field"] == "q"


async def test_the_statistics_count_by_type(client: httpx.AsyncClient, five: list[JsonObject]) -> None:
    assert (await client.get(f"{FILES}/statistics")).json() == {
        "total": 5,
        "totalSize": sum(file["size"] for file in five),
        "byMimeType": {"text/plain": 2, "application/pdf": 1, "image/png": 1, "text/csv": 1},
    }


async def test_the_statistics_of_nothing(client: httpx.AsyncClient) -> None:
    body = (await client.get(f"{FILES}/statistics")).json()
    assert body == {"total": 0, "totalSize": 0, "byMimeType": {}}


async def test_sizes_may_sum_up_to_more_than_32_bits(
    client: httpx.AsyncClient, connection: Connection
) -> None:
    await seed(connection, 3)
    await connection.execute("UPDATE files SET size_bytes = 2147483647")
    body = (await client.get(f"{FILES}/statistics")).json()
    assert body["totalSize"] == 3 * 2147483647


@pytest.mark.parametrize(
    ("path", "queries"),
    [
        ("?limit=LIMIT", 2),
        ("?limit=LIMIT&order_by=mime_type&offset=5", 2),
        ("?limit=LIMIT&search=report", 3),
        ("/search?q=report&limit=LIMIT", 2),
        ("/idea/idea", 1),
        ("/system/system", 1),
        ("/statistics", 1),
    ],
)
async def test_a_list_costs_the_same_number_of_queries_whatever_its_length(
    client: httpx.AsyncClient,
    connection: Connection,
    forget_answers: Callable[[], None],
    path: str,
    queries: int,
) -> None:
    await add_idea(connection, "idea")
    await add_system(connection, "system")
    await seed(connection, 200)
    for size in (3, 100):
        await connection.execute(
            "UPDATE files SET idea_id = 'idea', system_id = 'system' "
            "WHERE id IN (SELECT id FROM files ORDER BY id LIMIT $1)",
            size,
        )
        forget_answers()
        response = await client.get(FILES + path.replace("LIMIT", str(size)))
        assert (response.status_code, response.headers["x-cache"]) == (200, "MISS")
        assert queries_of(response) == queries


async def test_reads_are_conditional_and_cached(client: httpx.AsyncClient, five: list[JsonObject]) -> None:
    for path in ("", f"/{five[0]['id']}", "/idea/idea", "/search?q=report", "/statistics"):
        first = await client.get(FILES + path)
        again = await client.get(FILES + path, headers={"if-none-match": first.headers["etag"]})
        assert (again.status_code, again.headers["x-cache"]) == (304, "HIT"), path


async def test_readers_and_writers_at_once_see_no_old_list(client: httpx.AsyncClient, store: Path) -> None:
    async def write(number: int) -> None:
        await upload(client, f"{number}.txt")
        assert f"{number}.txt" in await names(client, limit=100)

    await asyncio.gather(*(write(number) for number in range(20)))
    assert (await listed(client))["total"] == 20
