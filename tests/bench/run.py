"""The whole measurement: what is started, with which rows, what takes part."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import asyncpg

from core.database import schema
from core.server.embedded.services import local_services
from core.settings import Settings
from tests.bench import answers
from tests.bench.data import drop_created, fill, some_ids
from tests.bench.endpoints import KNOWN_IDS, READS, SPREAD, WRITES, Endpoints, endpoints
from tests.bench.load import Generator
from tests.bench.rounds import Figures, Rounds
from tests.bench.servers import Server, Starter, starter, yardsticks
from tests.fixtures.database import Connection
from tests.fixtures.services import with_database
from tests.fixtures.waiting import wait_for

CACHED: Final = "cached"
UNCACHED: Final = "uncached"
PLAIN: Final = "uncached, plain"
"""Typed calls whose rows the app reads, instead of PostgreSQL writing their JSON."""
TWO_WORKERS: Final = "cached, 2 workers"
LARGE: Final = "uncached, large"
GROWTH: Final = 10
"""The large database has so many times the rows."""
NO_CACHE: Final = "0"
"""For CACHE_MAX_BYTES: nothing is kept."""
JOBS_TIMEOUT_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured. `alone`: the app with and without its cache, and nothing that it is compared
    with.
    """

    rows: int = 20_000
    rounds: int = 3
    seconds: float = 3
    warm_up_s: float = 1
    alone: bool = False


QUICK: Final = Plan(rows=2_000, rounds=1, seconds=0.3, warm_up_s=0, alone=True)


@dataclass(frozen=True)
class Place:
    """A filled database, a starter of servers on it, and the requests that fit its rows."""

    folder: Path
    data_dir: Path
    database_url: str
    start: Starter
    measured: Endpoints


@asynccontextmanager
async def place(folder: Path, rows: int) -> AsyncIterator[Place]:
    """The embedded services are those that a server on the same data folder would start; held here, they
    outlive each server.
    """
    data_dir = folder / "data"
    with ExitStack() as stack:
        services = local_services(Settings.model_validate({"data_dir": data_dir}))
        settings = await asyncio.to_thread(stack.enter_context, services)
        assert settings.database_url is not None
        url = settings.database_url
        await schema.deploy(url)
        await fill(url, rows)
        measured = endpoints(await some_ids(url, KNOWN_IDS))
        async with starter(folder, data_dir, url) as start:
            yield Place(folder, data_dir, url, start, measured)


async def measure(
    plan: Plan, folder: Path, generator: Generator, step: Callable[[str], None] = lambda shown: None
) -> Figures:
    """Raises answers.Different when servers that are compared answer differently."""
    async with place(folder, plan.rows) as here:
        step("starting the servers")
        cached, uncached = await asyncio.gather(
            here.start.handover(CACHED),
            here.start.handover(UNCACHED, (*READS, *SPREAD, *WRITES), CACHE_MAX_BYTES=NO_CACHE),
        )
        servers = [cached, uncached]
        if not plan.alone:
            servers += await yardsticks(
                here.start, here.folder, await answers.ready_bodies(uncached, here.measured)
            )
            plain = {"CACHE_MAX_BYTES": NO_CACHE, "DB_PROJECTED_READS": "false"}
            servers.append(await here.start.handover(PLAIN, SPREAD, **plain))
            servers.append(await here.start.handover(TWO_WORKERS, READS, WORKERS="2"))
        step("comparing the answers")
        await answers.compare(uncached, servers, here.measured)
        if not plan.alone:
            servers.append(await _large(here, plan.rows * GROWTH))
        await drop_created(here.database_url)
        await _jobs_done(here.database_url)
        rounds = Rounds(
            *(generator, here.data_dir, here.database_url),
            *(plan.rounds, plan.seconds, plan.warm_up_s),
        )
        figures = await rounds.measure(servers, here.measured, step)
        for server in (cached, uncached):
            for code in server.endpoints:
                requests = here.measured[code]
                figures.queries[server.name, code] = await answers.queries(server, requests)
        return figures


async def _large(here: Place, rows: int) -> Server:
    connection: Connection = await asyncpg.connect(here.database_url)
    try:
        await connection.execute("CREATE DATABASE large")
    finally:
        await connection.close()
    url = with_database(here.database_url, "large")
    await schema.deploy(url)
    await fill(url, rows)
    server = await here.start.handover(
        LARGE, SPREAD, DATABASE_URL=url, REDIS_URL="memory", CACHE_MAX_BYTES=NO_CACHE
    )
    await _jobs_done(url)
    return server


async def _jobs_done(url: str) -> None:
    """The search index is made while the first seconds pass."""
    connection: Connection = await asyncpg.connect(url)
    try:

        async def done() -> bool:
            return not await connection.fetchval(
                "SELECT EXISTS (SELECT 1 FROM jobs WHERE finished_at IS NULL)"
            )

        await wait_for(done, JOBS_TIMEOUT_S, message="the jobs that a start begins do not end")
    finally:
        await connection.close()
