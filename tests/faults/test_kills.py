"""Processes of ours are killed in the middle of what they do, and started again."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import asyncpg
import httpx
import pytest

from core.database import schema
from tests.faults.conftest import Count
from tests.faults.load import Load
from tests.fixtures.servers import StartServer, process_environment
from tests.fixtures.services import TestServices, run_sql
from tests.fixtures.waiting import wait_for

pytestmark = pytest.mark.slow

KILLS = 3
WAITING = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


@pytest.mark.parametrize("its_statement", ["is undone", "goes through"])
async def test_a_deploy_that_is_killed_goes_on_at_the_next_start(
    services: TestServices, tmp_path: Path, its_statement: str
) -> None:
    """In the middle of a migration, whose transaction PostgreSQL then ends one way or the other."""
    with services.fresh_database("deploy", migrated=False) as url:
        in_the_way = await asyncpg.connect(url)
        transaction = in_the_way.transaction()
        await transaction.start()
        await in_the_way.execute("CREATE TABLE items ()")
        environment = process_environment(services, tmp_path, {"DATABASE_URL": url})
        deploy = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "core.cli", "db", "deploy"),
            env=environment,
            cwd=tmp_path,
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        await wait_for(lambda: run_sql(url, WAITING), 30)
        os.killpg(deploy.pid, signal.SIGKILL)
        await deploy.wait()
        if its_statement == "is undone":
            run_sql(url, f"SELECT pg_terminate_backend(pid) FROM ({WAITING}) AS waiting")
        await transaction.rollback()
        await in_the_way.close()
        await schema.deploy(url)
        assert (await schema.status(url)).up_to_date
        assert int(
            run_sql(url, "SELECT count(*) FROM _prisma_migrations WHERE finished_at IS NOT NULL")
        ) == len(list(schema.MIGRATIONS.glob("*/migration.sql")))


async def test_a_server_that_is_killed_again_and_again_loses_no_answered_write(
    live_server: StartServer, services: TestServices, count: Count
) -> None:
    """Among reads that fill the cache and writes that empty it; the port is the same each time."""
    server = await live_server()
    port = {"PORT": server.base_url.rpartition(":")[2]}
    recoveries = []
    async with Load([server.base_url]) as load:
        for _ in range(KILLS):
            await server.stop(signal.SIGKILL)
            killed = time.perf_counter()
            server = await live_server(port)
            recoveries.append(await load.recovered(killed))
            answered = load.answered
            await wait_for(lambda answered=answered: load.answered > answered + 200, 30)  # type: ignore[misc]
    count(f"server killed {KILLS} times", load, await load.lost(services.database_url), recoveries)
    async with server.client() as client:
        shown = {item["id"]: item for item in (await client.get("/api/items")).json()["data"]}
    connection = await asyncpg.connect(services.database_url)
    stored = {row["id"]: row["title"] for row in await connection.fetch("SELECT id, title FROM items")}
    await connection.close()
    assert {item: row["title"] for item, row in shown.items()} == stored


async def test_two_servers_on_one_database_and_one_is_killed(
    live_server: StartServer, services: TestServices, count: Count
) -> None:
    """The other one answers all along and is never behind, and what the killed one promised is there."""
    killed, other = await live_server(), await live_server()
    async with Load([other.base_url], writers=2, readers=2) as steady:
        async with Load([killed.base_url], writers=2, readers=2) as load:
            await killed.stop(signal.SIGKILL)
            since = time.perf_counter()
            recovery = await steady.recovered(since)
        await _same_everywhere(other.base_url, load)
    lost = [*await load.lost(services.database_url), *await steady.lost(services.database_url)]
    load.answered += steady.answered
    load.titles |= steady.titles
    count("one of two servers killed", load, lost, [recovery])
    assert steady.refused == 0


async def _same_everywhere(base_url: str, load: Load) -> None:
    async with httpx.AsyncClient(base_url=base_url, timeout=15) as client:
        for item, titles in load.titles.items():
            assert (await client.get(f"/api/items/{item}")).json()["data"]["title"] in titles
