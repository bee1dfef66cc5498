"""One search across systems, ideas and files."""

import re

import httpx
import pytest

from features.stats.tests.factories import IDEAS, SYSTEMS, add_file, add_idea, add_system, change, get
from tests.fixtures.database import Connection


async def test_each_list_holds_what_its_own_endpoint_shows(client: httpx.AsyncClient) -> None:
    system = await add_system(client, name="Orders pagination", type="api", metadata={"team": "desk"})
    idea = await add_idea(client, title="Better pagination", systemId=system["id"], dueDate="2030-01-01")
    file = await add_file(client, "pagination.txt")
    await add_system(client, name="Other")
    found = await get(client, "search", q="pagination")
    assert found == {"systems": [system], "ideas": [idea], "files": [file]}
    assert found["ideas"][0]["system"] == {"id": system["id"], "name": "Orders pagination"}


async def test_words_are_found_without_accents_in_any_form_and_unfinished(client: httpx.AsyncClient) -> None:
    await add_idea(client, title="Documentação das versões", description="Guia")
    for text in ("documentacao", "versão", "VERSOES docu", "documentação guia"):
        assert len((await get(client, "search", q=text))["ideas"]) == 1, text
    assert (await get(client, "search", q="documentacao nada"))["ideas"] == []
    assert await get(client, "search", q="'!& |") == {"systems": [], "ideas": [], "files": []}


async def test_a_list_that_is_not_asked_for_is_empty(client: httpx.AsyncClient) -> None:
    await add_system(client, name="pagination")
    await add_idea(client)
    await add_file(client, "pagination.txt")
    for without in ("systems", "ideas", "files"):
        found = await get(client, "search", q="pagination", **{without: "false"})
        assert {name: len(rows) for name, rows in found.items()} == {
            "systems": 1,
            "ideas": 1,
            "files": 1,
        } | {without: 0}


async def test_each_list_holds_the_best_matches_up_to_the_limit(
    client: httpx.AsyncClient, connection: Connection
) -> None:
    await add_idea(client, title="Else", description="about pagination")
    best = await add_idea(client, title="pagination", description="pagination and pagination")
    await connection.execute(
        "INSERT INTO ideas (id, title, description, category, priority) "
        "SELECT n, 'Something', 'pagination', 'docs', 'low' FROM generate_series(1, 30) AS n"
    )
    assert len((await get(client, "search", q="pagination"))["ideas"]) == 20
    assert (await get(client, "search", q="pagination", limit=1))["ideas"] == [best]


async def test_the_number_of_queries_does_not_depend_on_the_matches(
    client: httpx.AsyncClient, connection: Connection
) -> None:
    for number in range(2):
        await add_system(client, name=f"pagination {number}")
    await add_file(client, "pagination.txt")
    told: list[str] = []
    # The two are kept in the cache under different keys.
    for count, limit in ((1, 99), (40, 100)):
        await connection.execute(
            "INSERT INTO ideas (id, title, description, category, priority, system_id) "
            "SELECT n, 'pagination', 'x', 'docs', 'low', (SELECT id FROM systems ORDER BY id LIMIT 1) "
            "FROM generate_series(1, $1::int) AS n ON CONFLICT DO NOTHING",
            count,
        )
        response = await client.get("/api/v1/stats/search", params={"q": "pagination", "limit": limit})
        assert len(response.json()["ideas"]) == count
        told += re.findall(r'desc="(\d+) quer', response.headers["server-timing"])
    assert told[0] == told[1]
    assert int(told[0]) <= 7


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("", "q"),
        ("q=", "q"),
        ("q=%20%20", "q"),
        ("q=a%00b", "q"),
        ("q=ab&limit=0", "limit"),
        ("q=ab&systems=perhaps", "systems"),
        (f"q={'x' * 201}", "q"),
    ],
)
async def test_a_bad_parameter_is_refused_by_name(client: httpx.AsyncClient, query: str, field: str) -> None:
    response = await client.get(f"/api/v1/stats/search?{query}")
    assert response.status_code == 400
    assert [detail["field"] for detail in response.json()["details"]] == [field]


async def test_a_renamed_system_is_found_by_its_new_name_alone(client: httpx.AsyncClient) -> None:
    system = await add_system(client, name="Before")
    await add_idea(client, title="Before all", systemId=system["id"])
    assert len((await get(client, "search", q="before"))["systems"]) == 1
    await change(client, f"{SYSTEMS}/{system['id']}", name="After")
    found = await get(client, "search", q="before")
    assert found["systems"] == []
    assert found["ideas"][0]["system"]["name"] == "After"
    await client.delete(f"{IDEAS}/{found['ideas'][0]['id']}")
    assert (await get(client, "search", q="before"))["ideas"] == []
