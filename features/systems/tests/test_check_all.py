"""Checking all systems: the published list when it is there in time, otherwise the job."""

import asyncio
import time
from contextlib import AsyncExitStack
from functools import partial

import asyncpg
import httpx
import pytest

from features.systems import jobs as systems_jobs
from features.systems.health import every
from features.systems.tests.factories import PATH, JsonObject, create
from tests.fixtures.application import RunningApp
from tests.fixtures.database import Connection
from tests.fixtures.services import TestServices
from tests.fixtures.sites import Site, http
from tests.fixtures.trail import audit_of
from tests.fixtures.waiting import wait_for

ALL = f"{PATH}/health-check-all"


async def ended(client: httpx.AsyncClient, location: str) -> JsonObject:
    async def job() -> JsonObject | None:
        data: JsonObject = (await client.get(location)).json()["data"]
        return data if "finishedAt" in data else None

    found = await wait_for(job, 30)
    assert found is not None
    return found


@pytest.fixture
def gate(site: Site) -> asyncio.Event:
    """The site answers once it is set."""
    opened = asyncio.Event()

    async def held(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await opened.wait()
        writer.write(http(200))

    site.answers["/"] = held
    return opened


async def test_every_system_is_checked_and_told(
    running_app: RunningApp, connection: Connection, site: Site
) -> None:
    site.answers["/broken"] = http(500)
    async with running_app(healthcheck_allow=(site.address,)) as client:
        systems = {
            "online": await create(client, status="offline", url=site.url()),
            "error": await create(client, url=site.url("/broken")),
            "offline": await create(client, url="http://127.0.0.1:1/"),
            "unknown": await create(client, status="planned"),
        }
        response = await client.post(ALL, headers={"x-user-id": "bob"})
        assert response.status_code == 200
        results = response.json()
        assert {each["systemId"]: each["status"] for each in results} == {
            system["id"]: status for status, system in systems.items()
        }
        assert [each["systemId"] for each in results] == sorted(each["systemId"] for each in results)
        assert all(isinstance(each["lastChecked"], str) for each in results)
        now = {each["id"]: each["status"] for each in (await client.get(PATH)).json()["data"]}
        [job] = (await client.get("/api/v1/jobs")).json()["data"]
    assert now == {
        systems["online"]["id"]: "online",
        systems["error"]["id"]: "degraded",
        systems["offline"]["id"]: "offline",
        systems["unknown"]["id"]: "planned",
    }
    assert (job["kind"], job["state"], job["done"], job["total"]) == ("systems.check_all", "succeeded", 4, 4)
    assert job["result"] == {"checked": 4, "online": 1, "error": 1, "offline": 1, "unknown": 1}
    _, entry = await audit_of(connection, "system", systems["online"]["id"])
    assert (entry["action"], entry["actor"]) == ("checked", "bob")
    assert entry["request_id"] == response.headers["x-request-id"]


async def test_nothing_to_check(client: httpx.AsyncClient) -> None:
    response = await client.post(ALL)
    assert (response.status_code, response.json()) == (200, [])


async def test_no_more_than_eight_at_a_time(running_app: RunningApp, site: Site, gate: asyncio.Event) -> None:
    async with running_app(healthcheck_allow=(site.address,)) as client:
        for _ in range(20):
            await create(client, url=site.url())
        answer = asyncio.create_task(client.post(ALL))
        await wait_for(lambda: len(site.heads) == 8)
        [job] = (await client.get("/api/v1/jobs")).json()["data"]
        assert (job["state"], job["phase"], job["done"], job["total"]) == ("running", "check", 0, 20)
        assert len(site.heads) == 8
        gate.set()
        assert len((await answer).json()) == 20
    assert len(site.heads) == 20


async def test_what_takes_too_long_goes_on_as_a_job(
    running_app: RunningApp, site: Site, gate: asyncio.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(every, "ANSWER_WITHIN_S", 0.3)
    async with running_app(healthcheck_allow=(site.address,)) as client:
        system = await create(client, status="offline", url=site.url())
        started = time.monotonic()
        response = await client.post(ALL)
        assert time.monotonic() - started < 5
        body = response.json()
        assert (response.status_code, body["success"], body["data"]["state"]) == (202, True, "running")
        assert response.headers["location"] == f"/api/v1/jobs/{body['data']['id']}"
        gate.set()
        job = await ended(client, response.headers["location"])
        assert (job["state"], job["result"]["online"]) == ("succeeded", 1)
        assert (await client.get(f"{PATH}/{system['id']}")).json()["data"]["status"] == "online"


async def test_a_check_that_is_under_way_is_joined(
    running_app: RunningApp, site: Site, gate: asyncio.Event
) -> None:
    async with running_app(healthcheck_allow=(site.address,)) as client:
        for _ in range(3):
            await create(client, url=site.url())
        answers = [asyncio.create_task(client.post(ALL)) for _ in range(4)]
        await wait_for(lambda: len(site.heads) == 3)
        gate.set()
        responses = await asyncio.gather(*answers)
        jobs = (await client.get("/api/v1/jobs")).json()["data"]
    assert [response.status_code for response in responses] == [200] * 4
    # A request that comes when the first check has just ended begins another one.
    assert len(site.heads) == 3 * len(jobs) < 12
    for response in responses:
        assert [each["status"] for each in response.json()] == ["online"] * 3


async def test_a_cancelled_check_is_told(running_app: RunningApp, site: Site, gate: asyncio.Event) -> None:
    async with running_app(healthcheck_allow=(site.address,)) as client:
        for _ in range(12):
            await create(client, url=site.url())
        answer = asyncio.create_task(client.post(ALL))
        await wait_for(lambda: len(site.heads) == 8)
        [job] = (await client.get("/api/v1/jobs")).json()["data"]
        assert (await client.post(f"/api/v1/jobs/{job['id']}/cancel")).status_code == 200
        response = await answer
        assert (response.status_code, response.json()["message"]) == (
            409,
            "The job that checked the systems was cancelled",
        )
    assert len(site.heads) == 8


async def test_an_interrupted_check_goes_on_behind_its_last_chunk(
    running_app: RunningApp, services: TestServices, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a database of its own: the app of other tests, which may not reach the site, could take the job."""
    monkeypatch.setattr(systems_jobs, "CHUNK", 10)
    site.answers["/held"] = held = _Held()
    async with AsyncExitStack() as stack:
        url = stack.enter_context(services.fresh_database("checks"))
        connection = await asyncpg.connect(url)
        stack.push_async_callback(connection.close)
        await _interrupted(partial(running_app, database_url=url), connection, site, held, monkeypatch)


async def _interrupted(
    running_app: RunningApp,
    connection: Connection,
    site: Site,
    held: "_Held",
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with running_app(healthcheck_allow=(site.address,)) as client:
        for number in range(25):
            system = await create(client, url=site.url("/held" if number >= 10 else "/"))
            await connection.execute("UPDATE systems SET id = $1 WHERE id = $2", f"{number:02}", system["id"])
        monkeypatch.setattr(every, "ANSWER_WITHIN_S", 0.5)
        response = await client.post(ALL)
        assert (response.status_code, response.json()["data"]["state"]) == (202, "running")
        await wait_for(lambda: len(site.heads) == 18)
        stopped = time.monotonic()
    assert time.monotonic() - stopped < 5
    assert await connection.fetchval("SELECT state FROM jobs") == "queued"
    held.released = True
    async with running_app(healthcheck_allow=(site.address,)) as client:
        job = await ended(client, response.headers["location"])
        assert (job["state"], job["done"], job["result"]["checked"]) == ("succeeded", 25, 25)
        assert job["result"]["online"] == 25
    first_chunk = [head for head in site.heads if head.startswith("GET / ")]
    assert len(first_chunk) == 10


class _Held:
    def __init__(self) -> None:
        self.released = False

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self.released:
            await reader.read()
        writer.write(http(200))


async def test_of_very_many_systems_the_numbers_alone_are_kept(
    running_app: RunningApp, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(systems_jobs, "MAX_RESULTS", 5)
    monkeypatch.setattr(systems_jobs, "CHUNK", 4)
    async with running_app(healthcheck_allow=(site.address,)) as client:
        for _ in range(9):
            await create(client, url=site.url())
        response = await client.post(ALL)
    assert response.status_code == 202
    job = response.json()["data"]
    assert (job["state"], job["result"]["checked"], job["result"]["online"]) == ("succeeded", 9, 9)
