"""Webhooks while processes die and hosts compete: nothing is skipped, rows keep their order."""

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import asyncpg
import httpx
import pytest
import pytest_asyncio

from features.webhooks.tests.receiver import (
    WEBHOOKS,
    Receiver,
    Request,
    accept,
    create_item,
    deliveries,
    hang,
    retitle,
    subscribe,
)
from tests.fixtures.database import Connection
from tests.fixtures.servers import LiveServer, StartServer
from tests.fixtures.servers import servers as servers_of
from tests.fixtures.services import TestServices
from tests.fixtures.waiting import wait_for

pytestmark = pytest.mark.slow

ENVIRONMENT = {"WEBHOOK_ALLOW": "127.0.0.1", "JOB_LEASE_S": "2", "JOB_HEARTBEAT_S": "0.5"}
ROWS = 5
CHANGES = 12


@pytest.fixture
def own(services: TestServices) -> Iterator[TestServices]:
    """A database of their own: on the one that tests share, the app that they share sends, too."""
    with services.fresh_database("webhooks") as url:
        yield replace(services, database_url=url)


@pytest_asyncio.fixture(loop_scope="session")
async def live_server(own: TestServices, tmp_path: Path) -> AsyncIterator[StartServer]:
    async with servers_of(own, tmp_path) as start:
        yield start


@pytest_asyncio.fixture(loop_scope="session")
async def connection(own: TestServices) -> AsyncIterator[Connection]:
    opened = await asyncpg.connect(own.database_url)
    try:
        yield opened
    finally:
        await opened.close()


async def runner_of(connection: Connection, servers: list[LiveServer]) -> LiveServer:
    """The server whose process sends."""

    async def found() -> LiveServer | None:
        owner = await connection.fetchval(
            "SELECT lease_owner FROM jobs WHERE kind = 'webhooks.deliver' AND state = 'running'"
        )
        return next((each for each in servers if owner and owner.split(":")[1] == str(each.pid)), None)

    runner = await wait_for(found, 30)
    assert runner is not None
    return runner


def assert_complete_and_in_order(receiver: Receiver, rows: list[str]) -> int:
    """Returns how many were sent more than once."""
    repeated = 0
    for row in rows:
        positions = [int(change["position"]) for change in receiver.of(row)]
        first_times = list(dict.fromkeys(positions))
        assert first_times == sorted(first_times)
        assert len(first_times) == CHANGES + 1
        repeated += len(positions) - len(first_times)
    return repeated


async def test_of_two_hosts_one_sends_each_change_once(
    live_server: StartServer, receiver: Receiver, connection: Connection
) -> None:
    servers = [await live_server(ENVIRONMENT) for _ in range(2)]
    async with servers[0].client() as one, servers[1].client() as other:
        await asyncio.gather(*(subscribe(each, receiver.url()) for each in (one, other)))
        rows = [await create_item(one) for _ in range(ROWS)]

        async def write(client: httpx.AsyncClient, row: str) -> None:
            for number in range(CHANGES):
                await retitle(client, row, f"Title {number}")

        await asyncio.gather(*(write((one, other)[n % 2], row) for n, row in enumerate(rows)))
        wanted = 2 * ROWS * (CHANGES + 1)
        await wait_for(lambda: len(receiver.answered) >= wanted, 60)
        # A stop hands the job over without a second request.
        first = await runner_of(connection, servers)
        await first.stop()
        [left] = [each for each in servers if each is not first]
        await runner_of(connection, [left])
        async with left.client() as client:
            await create_item(client)
            await wait_for(lambda: len(receiver.answered) == wanted + 2, 30)
    sent = [each.headers["webhook-id"] for each in receiver.requests]
    assert len(sent) == len(set(sent)) == wanted + 2


@pytest.mark.parametrize("under_way", ["made", "sending"])
async def test_killed_anywhere_nothing_is_skipped(
    live_server: StartServer, receiver: Receiver, connection: Connection, under_way: str
) -> None:
    """`made`: before any request. `sending`: some are answered, and that is not recorded."""
    servers = [await live_server(ENVIRONMENT) for _ in range(2)]
    async with servers[0].client() as client:
        webhook = await subscribe(client, receiver.url())
    first = await runner_of(connection, servers)
    [second] = [each for each in servers if each is not first]
    receiver.answer = hang
    async with second.client() as client:
        rows = [await create_item(client) for _ in range(ROWS)]
        if under_way == "made":
            await wait_for(lambda: receiver.requests)
        else:
            await wait_for(lambda: len(receiver.requests) == ROWS)
            receiver.answer = accept
        writing = asyncio.create_task(write_all(client, rows))
        if under_way == "sending":
            await wait_for(lambda: len(receiver.answered) > 3, 30)
        await first.stop(signal.SIGKILL)
        receiver.answer = accept
        await writing

        async def delivered() -> bool:
            found = await deliveries(client, webhook["id"], state="delivered")
            return len(found) == ROWS * (CHANGES + 1)

        # Requests that nobody answered are broken off by the kill: their rows go on at once.
        await wait_for(delivered, 60)
    assert_complete_and_in_order(receiver, rows)
    assert {each.verified(webhook["secret"])["data"]["entity"] for each in receiver.answered} == {"item"}


async def write_all(client: httpx.AsyncClient, rows: list[str]) -> None:
    for number in range(CHANGES):
        await asyncio.gather(*(retitle(client, row, f"Title {number}") for row in rows))


async def test_the_job_comes_back_after_it_was_cancelled(
    live_server: StartServer, receiver: Receiver, connection: Connection
) -> None:
    server = await live_server(ENVIRONMENT)
    async with server.client() as client:
        webhook = await subscribe(client, receiver.url())
        await runner_of(connection, [server])
        [job] = (await client.get("/api/v1/jobs?kind=webhooks.deliver")).json()["data"]
        assert (await client.post(f"/api/v1/jobs/{job['id']}/cancel")).status_code == 200
        item_id = await create_item(client)
        await wait_for(lambda: receiver.told == [(item_id, "created")], 30)
        await wait_for(lambda: deliveries(client, webhook["id"], state="delivered"))
        assert (await client.delete(f"{WEBHOOKS}/{webhook['id']}")).status_code == 200

        async def ended() -> bool:
            jobs = (await client.get("/api/v1/jobs?kind=webhooks.deliver")).json()["data"]
            return [each["state"] for each in jobs] == ["succeeded", "cancelled"]

        await wait_for(ended)
        figures = (await client.get("/metrics")).text
    assert 'handover_webhook_attempts_total{outcome="delivered"} 1.0' in figures
    assert "handover_webhook_deliveries_waiting 0.0" in figures


async def test_what_is_sent_at_once_ends_in_the_order_of_each_row(
    live_server: StartServer, receiver: Receiver
) -> None:
    """Answers take different times."""
    server = await live_server(ENVIRONMENT)

    async def slowly(request: Request) -> bytes:
        await asyncio.sleep(0.02 * (len(receiver.requests) % 5))
        return await accept(request)

    receiver.answer = slowly
    async with server.client() as client:
        await subscribe(client, receiver.url())
        rows = [await create_item(client) for _ in range(ROWS)]
        await write_all(client, rows)
        await wait_for(lambda: len(receiver.answered) == ROWS * (CHANGES + 1), 60)
    assert assert_complete_and_in_order(receiver, rows) == 0
