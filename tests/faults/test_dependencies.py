"""The engine, PostgreSQL and Redis go away under load and come back."""

import asyncio
import signal
import time
from functools import partial

import pytest

from tests.faults.conftest import Breakable, Count
from tests.faults.load import Load
from tests.faults.processes import engine_of, gone
from tests.fixtures.servers import StartServer
from tests.fixtures.services import TestServices
from tests.fixtures.waiting import wait_for

pytestmark = pytest.mark.slow

KILLS = 20
OUTAGE_REFUSALS = 10


async def test_the_engine_is_killed_twenty_times(
    live_server: StartServer, services: TestServices, count: Count
) -> None:
    server = await live_server()
    recoveries = []
    async with Load([server.base_url]) as load:
        for _ in range(KILLS):
            await wait_for(lambda: engine_of(server.pid))
            engine = engine_of(server.pid)
            assert engine is not None
            engine.send_signal(signal.SIGKILL)
            killed = time.perf_counter()
            await wait_for(partial(gone, engine))
            recoveries.append(await load.recovered(killed))
    count(f"engine killed {KILLS} times", load, await load.lost(services.database_url), recoveries)
    assert load.refused > 0


@pytest.mark.parametrize("how", ["stopped", "killed"])
async def test_postgres_goes_and_comes_back(
    live_server: StartServer, own_postgres: Breakable, count: Count, how: str
) -> None:
    server = await live_server({"DATABASE_URL": own_postgres.url})
    async with Load([server.base_url]) as load:
        before = load.refused
        await asyncio.to_thread(own_postgres.stop if how == "stopped" else own_postgres.kill)
        await wait_for(lambda: load.refused >= before + OUTAGE_REFUSALS, message="nobody was refused")
        await asyncio.to_thread(own_postgres.start)
        recovery = await load.recovered(time.perf_counter())
    count(f"PostgreSQL {how}", load, await load.lost(own_postgres.url), [recovery])


async def test_redis_goes_and_comes_back(
    live_server: StartServer, services: TestServices, own_redis: Breakable, count: Count
) -> None:
    """Nobody is refused and nobody reads anything old: Redis only makes reads quicker."""
    server = await live_server({"REDIS_URL": own_redis.url, "RATE_LIMIT_MAX": "1000000"})
    async with Load([server.base_url]) as load:
        for _ in range(3):
            await asyncio.to_thread(own_redis.kill)
            stopped = time.perf_counter()
            recovery = await load.recovered(stopped)
            answered = load.answered
            await wait_for(lambda answered=answered: load.answered > answered + 100)  # type: ignore[misc]
            await asyncio.to_thread(own_redis.start)
            answered = load.answered
            await wait_for(lambda answered=answered: load.answered > answered + 100)  # type: ignore[misc]
    count("Redis killed three times", load, await load.lost(services.database_url), [recovery])
    assert load.refused == 0
