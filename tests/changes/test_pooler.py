"""Behind PgBouncer a host follows the log on one session, too."""

import shutil
from pathlib import Path

import asyncpg
import pytest

from tests.changes.test_hosts import ITEM, made
from tests.database.test_pgbouncer import pgbouncer
from tests.fixtures.servers import StartServer
from tests.fixtures.services import TestServices
from tests.fixtures.waiting import wait_for

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("pgbouncer") is None, reason="pgbouncer is not installed"),
]

HELD = """
SELECT pid FROM pg_stat_activity
WHERE state = 'idle in transaction' AND backend_xmin IS NULL AND datname = current_database()
"""
"""The session that a transaction holds, and that holds back nothing itself."""


async def test_the_log_is_followed_on_a_session_that_a_transaction_holds(
    services: TestServices, live_server: StartServer, tmp_path: Path
) -> None:
    with (
        services.fresh_database("followed") as past,
        pgbouncer(tmp_path, past) as through,
    ):
        server = await live_server({"DATABASE_URL": through, "REDIS_URL": "memory"})
        connection = await asyncpg.connect(past)
        async with server.client() as client:
            path = await made(client, "/api/items", ITEM)
            for number in range(4):

                async def hit() -> bool:
                    return (await client.get(path)).headers["x-cache"] == "HIT"

                await wait_for(hit)
                await connection.execute("UPDATE items SET title = $1", f"change {number}")

                async def shown(number: int = number) -> bool:
                    return f"change {number}" in (await client.get(path)).text

                await wait_for(shown)
                held = await wait_for(lambda: connection.fetchval(HELD))
                if number % 2:
                    await connection.execute("SELECT pg_terminate_backend($1)", held)
        await connection.close()
