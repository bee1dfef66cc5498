"""The additive filters, orders and paging of the list, and the search."""

import re
from itertools import pairwise

import httpx
import pytest

from features.systems.tests.factories import PATH, JsonObject, create, seed
from tests.fixtures.database import Connection


async def page(client: httpx.AsyncClient, **parameters: object) -> JsonObject:
    response = await client.get(PATH, params={key: str(value) for key, value in parameters.items()})
    assert response.status_code == 200, response.text
    body: JsonObject = response.json()
    assert body["count"] == len(body["data"])
    return body


def ids(systems: list[JsonObject]) -> list[str]:
    return [system["id"] for system in systems]


async def test_filters_and_their_totals(client: httpx.AsyncClient, connection: Connection) -> None:
    await seed(connection, 300)
    rows = (await page(client))["data"]
    cases: list[dict[str, str]] = [
        {"status": "online"},
        {"type": "docs"},
        {"category": "rare"},
        {"owner": "rarely"},
        {"status": "offline", "type": "api", "category": "common", "owner": "often"},
    ]
    for filters in cases:
        expected = ids([row for row in rows if filters.items() <= row.items()])
        assert expected
        assert ids((await page(client, **filters))["data"]) == expected
        limited = await page(client, **filters, limit=2, offset=1)
        assert (ids(limited["data"]), limited["total"]) == (expected[1:3], len(expected))
    assert ids((await page(client, tag="tag7"))["data"]) == ids(
        [row for row in rows if "tag7" in row["tags"]]
    )
    assert ids((await page(client, status="error"))["data"]) == ids(
        [row for row in rows if row["status"] == "degraded"]
    )
    never = ids([row for row in rows if "lastChecked" not in row])
    assert never
    assert ids((await page(client, status="unknown"))["data"]) == never
    assert (await page(client, category="nothing"))["total"] == 0


async def test_pages_make_the_whole_list(client: httpx.AsyncClient, connection: Connection) -> None:
    await seed(connection, 25)
    everything = ids((await page(client))["data"])
    pages = [await page(client, limit=10, offset=offset) for offset in (0, 10, 20, 30)]
    assert [body["count"] for body in pages] == [10, 10, 5, 0]
    assert [body["total"] for body in pages] == [25, 25, 25, 25]
    assert [system_id for body in pages for system_id in ids(body["data"])] == everything
    assert (await page(client, limit=25))["total"] == 25
    assert ids((await page(client, offset=20))["data"]) == everything[20:]


@pytest.mark.parametrize("order_by", ["created_at", "updated_at", "name"])
async def test_orders_and_their_mirrors(
    client: httpx.AsyncClient, connection: Connection, order_by: str
) -> None:
    await seed(connection, 90)
    rising = (await page(client, order_by=order_by, order_direction="asc"))["data"]
    falling = (await page(client, order_by=order_by, order_direction="desc"))["data"]
    assert falling == rising[::-1]

    def key(system: JsonObject) -> str:
        if order_by == "name":
            return str(system["name"])
        created = str(system["createdAt"])
        return str(system.get("updatedAt", created)) if order_by == "updated_at" else created

    assert all(key(one) <= key(next_one) for one, next_one in pairwise(rising))
    default = (await page(client, order_by=order_by))["data"]
    assert default == (rising if order_by == "name" else falling)
    assert ids((await page(client, order_by=order_by, limit=7, offset=5))["data"]) == ids(default[5:12])


async def test_names_are_ordered_without_regard_to_case_and_accents(client: httpx.AsyncClient) -> None:
    for name in ("zeta", "Água", "beta", "AGORA", "Beta 2"):
        await create(client, name=name)
    names = [each["name"] for each in (await page(client, order_by="name"))["data"]]
    assert names == ["AGORA", "Água", "beta", "Beta 2", "zeta"]


@pytest.mark.parametrize(
    ("q", "found"),
    [
        ("launcher", ["Service Launcher", "Desk"]),
        ("LAUNCHERS", ["Service Launcher", "Desk"]),
        ("launch", ["Service Launcher", "Desk"]),
        ("services laun", ["Service Launcher"]),
        ("serv launcher", []),
        ("service absent", []),
        ("integracao", ["Integrações"]),
        ("integração", ["Integrações"]),
        ("integra", ["Integrações"]),
        ("aguas", ["Desk"]),
        ("desk", ["Desk"]),
        ("unch", []),
        ("'; DROP TABLE systems; --", []),
        ("' | ''", []),
        ("%%", []),
        ("a:* & b", []),
        ("\\\\", []),
    ],
)
async def test_the_search_is_ranked_and_knows_both_languages(
    client: httpx.AsyncClient, q: str, found: list[str]
) -> None:
    await create(client, name="Desk", description="Uses the launcher. Águas de março")
    await create(client, name="Service Launcher", description="Starts things")
    await create(client, name="Integrações", description="Filas de mensagens")
    response = await client.get(f"{PATH}/search", params={"q": q})
    assert response.status_code == 200
    assert [each["name"] for each in response.json()] == found
    assert f'"{2 if found else 1} quer' in response.headers["server-timing"]
    filtered = await page(client, search=q)
    assert sorted(each["name"] for each in filtered["data"]) == sorted(found)
    assert filtered["total"] == len(found)


async def test_a_search_can_be_cut_short(client: httpx.AsyncClient, connection: Connection) -> None:
    await seed(connection, 30)
    everything = (await client.get(f"{PATH}/search", params={"q": "seeded"})).json()
    assert len(everything) == 30
    assert (await client.get(f"{PATH}/search", params={"q": "seeded", "limit": "4"})).json() == everything[:4]


@pytest.mark.parametrize(
    ("parameters", "field"),
    [
        ({"limit": "0"}, "limit"),
        ({"limit": "101"}, "limit"),
        ({"limit": "x"}, "limit"),
        ({"offset": "-1"}, "offset"),
        ({"offset": "9999999999999"}, "offset"),
        ({"status": "done"}, "status"),
        ({"status": ""}, "status"),
        ({"type": "x"}, "type"),
        ({"category": "a\0"}, "category"),
        ({"owner": "x" * 201}, "owner"),
        ({"tag": "\0"}, "tag"),
        ({"search": "a"}, "search"),
        ({"search": "x" * 201}, "search"),
        ({"order_by": "description"}, "order_by"),
        ({"order_by": "name; DROP TABLE systems"}, "order_by"),
        ({"order_direction": "up"}, "order_direction"),
    ],
)
async def test_a_wrong_parameter_is_refused(
    client: httpx.AsyncClient, parameters: dict[str, str], field: str
) -> None:
    response = await client.get(PATH, params=parameters)
    assert response.status_code == 400
    assert [detail["field"] for detail in response.json()["details"]] == [field]


@pytest.mark.parametrize(
    ("path", "queries"),
    [
        ("", 1),
        ("?limit=5", 2),
        ("?limit=100&status=unknown&type=api", 1),
        ("?search=seeded&order_by=name", 2),
        ("?order_by=updated_at&offset=3", 3),
        ("/status/error", 1),
        ("/type/docs", 1),
        ("/search?q=seeded", 2),
        ("/statistics", 1),
    ],
)
async def test_a_read_takes_the_same_few_queries_however_many_systems_there_are(
    client: httpx.AsyncClient, connection: Connection, path: str, queries: int
) -> None:
    for number in (20, 400):
        await connection.execute("TRUNCATE systems CASCADE")
        await seed(connection, number)
        # A write, so that the answer is not a cached one.
        await client.delete(f"{PATH}/{(await create(client))['id']}")
        response = await client.get(PATH + path)
        assert response.headers["x-cache"] == "MISS"
        [counted] = re.findall(r'desc="(\d+) quer', response.headers["server-timing"])
        assert int(counted) <= queries
