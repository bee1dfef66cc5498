"""One health check over HTTP: what it answers, what it stores, and where it never goes."""

import asyncio
import socket
from datetime import UTC, datetime

import httpx
import pytest

from features.systems.outbound import fetch, network
from features.systems.tests.factories import PATH, JsonObject, create
from tests.fixtures.application import RunningApp
from tests.fixtures.database import Connection
from tests.fixtures.servers import StartServer
from tests.fixtures.sites import Site, StartSite, http
from tests.fixtures.trail import audit_of
from tests.fixtures.waiting import wait_for


async def check(client: httpx.AsyncClient, system: JsonObject) -> JsonObject:
    response = await client.post(f"{PATH}/{system['id']}/health")
    assert response.status_code == 200, response.text
    result: JsonObject = response.json()
    assert result["systemId"] == system["id"]
    return result


async def read(client: httpx.AsyncClient, system: JsonObject) -> JsonObject:
    data: JsonObject = (await client.get(f"{PATH}/{system['id']}")).json()["data"]
    return data


@pytest.mark.parametrize(
    ("status", "told", "stored"),
    [
        (200, "online", "online"),
        (204, "online", "online"),
        (304, "online", "online"),
        (401, "error", "degraded"),
        (404, "error", "degraded"),
        (500, "error", "degraded"),
        (503, "error", "degraded"),
    ],
)
async def test_a_check_tells_and_stores_what_it_found(
    running_app: RunningApp, connection: Connection, site: Site, status: int, told: str, stored: str
) -> None:
    site.answers["/health"] = http(status, b"")
    async with running_app(healthcheck_allow=(site.address,)) as client:
        system = await create(client, status="planned", url=site.url("/health"))
        result = await check(client, system)
        now = await read(client, system)
        assert (await client.get(f"{PATH}/status/{told}")).json() == [now]
    assert result["status"] == told
    assert result.get("error") == (None if told == "online" else f"Answered with status {status}")
    assert (now["status"], now["lastChecked"]) == (stored, result["lastChecked"])
    assert now["responseTimeMs"] == result["responseTime"] >= 0
    assert "updatedAt" not in now
    [_, entry] = await audit_of(connection, "system", system["id"])
    assert (entry["action"], entry["actor"], entry["client"]) == ("checked", "anonymous", "127.0.0.1")
    assert entry["changes"]["status"] == {"before": "planned", "after": stored}
    assert set(entry["changes"]) == {"status", "lastChecked", "responseTimeMs"}


async def test_a_real_server_checks_what_its_environment_allows(
    live_server: StartServer, site: Site, start_site: StartSite
) -> None:
    other = await start_site()
    server = await live_server({"HEALTHCHECK_ALLOW": f"10.0.0.0/8, {site.address}"})
    async with server.client() as client:
        systems = [await create(client, url=each.url()) for each in (site, other)]
        assert [(await check(client, system))["status"] for system in systems] == ["online", "offline"]
        results = (await client.post(f"{PATH}/health-check-all")).json()
        assert sorted(result["status"] for result in results) == ["offline", "online"]
    assert (site.connections, other.connections) == (2, 0)


async def test_only_a_change_of_the_status_is_audited(
    running_app: RunningApp, connection: Connection, site: Site
) -> None:
    async with running_app(healthcheck_allow=(site.address,)) as client:
        system = await create(client, status="online", url=site.url())
        for _ in range(3):
            await check(client, system)
        assert [entry["action"] for entry in await audit_of(connection, "system", system["id"])] == [
            "created"
        ]
        site.answers["/"] = http(500)
        await check(client, system)
        await check(client, system)
    assert [entry["action"] for entry in await audit_of(connection, "system", system["id"])] == [
        "created",
        "checked",
    ]


async def test_without_a_url_nothing_is_known_and_nothing_stored(client: httpx.AsyncClient) -> None:
    system = await create(client, status="planned", host="127.0.0.1", port=80)
    result = await check(client, system)
    assert (result["status"], result["error"]) == ("unknown", "Has no URL to check")
    assert "responseTime" not in result
    assert await read(client, system) == system
    assert (await client.get(f"{PATH}/status/unknown")).json() == [system]


async def test_inside_is_offline_whether_something_listens_or_not(
    client: httpx.AsyncClient, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answers must not differ: they would tell what runs where only this machine can reach."""

    async def resolve(host: str, port: int) -> list[str]:
        if host == "unknown.example":
            raise socket.gaierror
        return ["10.0.0.1"] if host == "inside.example" else [host.strip("[]")]

    monkeypatch.setattr(network, "resolve", resolve)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        urls = [
            site.url(),
            f"http://127.0.0.1:{closed.getsockname()[1]}/",
            "http://169.254.169.254/latest/meta-data/",
            "http://[::1]/",
            "http://inside.example/",
            "http://unknown.example/",
        ]
        results = []
        for url in urls:
            system = await create(client, url=url)
            result = await check(client, system)
            results.append((set(result), result["status"], result["error"]))
            now = await read(client, system)
            assert (now["status"], now.get("responseTimeMs")) == ("offline", None)
    keys = {"systemId", "status", "lastChecked", "error"}
    assert results == [
        (
            keys,
            "offline",
            "Cannot be reached, or at an internal address that HEALTHCHECK_ALLOW must name",
        )
    ] * len(urls)
    assert site.connections == 0


async def test_a_redirect_inside_is_not_followed(
    running_app: RunningApp, site: Site, start_site: StartSite
) -> None:
    inside = await start_site()
    site.answers["/"] = http(302, location=inside.url())
    async with running_app(healthcheck_allow=(site.address,)) as client:
        result = await check(client, await create(client, url=site.url()))
    assert (result["status"], inside.connections) == ("offline", 0)


async def test_a_name_that_turns_inside_leads_nowhere(
    running_app: RunningApp, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DNS rebinding: public when it is judged, inside when it is connected to."""
    asked: list[str] = []

    async def resolve(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["127.0.0.2"]

    monkeypatch.setattr(network, "resolve", resolve)
    async with running_app(healthcheck_allow=(site.address,)) as client:
        system = await create(client, url=site.url(host="rebinding.example"))
        assert (await check(client, system))["status"] == "online"
        assert (asked, site.connections) == (["rebinding.example"], 1)
        assert (await check(client, system))["status"] == "offline"
    assert site.connections == 1


async def test_a_system_that_does_not_answer_in_time_is_offline(
    running_app: RunningApp, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    site.answers["/"] = silent
    assert fetch.TIMEOUT_S == 10
    monkeypatch.setattr(fetch, "TIMEOUT_S", 0.3)
    async with running_app(healthcheck_allow=(site.address,)) as client:
        result = await check(client, await create(client, url=site.url()))
    assert (result["status"], result["error"]) == ("offline", "Did not answer within 0.3 seconds")


async def test_a_url_that_was_changed_meanwhile_is_not_judged_by_the_old_one(
    running_app: RunningApp, site: Site
) -> None:
    release = asyncio.Event()

    async def held(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await release.wait()
        writer.write(http(500))

    site.answers["/"] = held
    async with running_app(healthcheck_allow=(site.address,)) as client:
        changed, deleted = [await create(client, url=site.url()) for _ in range(2)]
        checks = [
            asyncio.create_task(client.post(f"{PATH}/{system['id']}/health")) for system in (changed, deleted)
        ]
        await wait_for(lambda: len(site.heads) == 2)
        await client.put(f"{PATH}/{changed['id']}", json={"url": site.url("/new")})
        await client.delete(f"{PATH}/{deleted['id']}")
        release.set()
        first, second = await asyncio.gather(*checks)
        assert (first.status_code, first.json()["status"], second.status_code) == (200, "error", 404)
        now = await read(client, changed)
        assert now["status"] == "online"
        assert "lastChecked" not in now


async def test_a_later_check_is_not_overwritten(
    running_app: RunningApp, connection: Connection, site: Site
) -> None:
    async with running_app(healthcheck_allow=(site.address,)) as client:
        system = await create(client, status="planned", url=site.url())
        await connection.execute("UPDATE systems SET last_checked = $1", datetime(2999, 1, 1, tzinfo=UTC))
        assert (await check(client, system))["status"] == "online"
    assert await connection.fetchval("SELECT status FROM systems") == "planned"
