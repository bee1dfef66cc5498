"""Keys outlive the process that used them, and no moment at which it dies makes a request be carried out
twice.
"""

import asyncio
import os
import signal
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.fixtures.database import WAITING_LOCKS
from tests.fixtures.waiting import wait_for

if TYPE_CHECKING:
    from fastapi import FastAPI

    from tests.fixtures.database import Connection
    from tests.fixtures.servers import LiveServer, StartServer

pytestmark = pytest.mark.slow

ITEMS = "/api/items"
ITEM = {"title": "t", "description": "d", "category": "dashboard", "priority": "low"}
GATE = 20_261_124
AT_THE_GATE = f"{WAITING_LOCKS} WHERE locktype = 'advisory' AND objid = $1"
WAITING = f"SELECT count(*) FROM {AT_THE_GATE}"


@asynccontextmanager
async def held_up(
    connection: "Connection", when: str, trigger: str = "TRIGGER hold_up BEFORE UPDATE", timing: str = ""
) -> AsyncIterator[None]:
    """Keys for whose new row the condition holds wait, until the block ends."""
    await connection.execute(
        "CREATE FUNCTION hold_up() RETURNS trigger LANGUAGE plpgsql SET lock_timeout = 0 AS "
        f"$$ BEGIN PERFORM pg_advisory_xact_lock({GATE}); RETURN NEW; END $$"
    )
    await connection.execute(
        f"CREATE {trigger} ON idempotency_keys {timing} FOR EACH ROW WHEN ({when}) EXECUTE FUNCTION hold_up()"
    )
    await connection.execute(f"SELECT pg_advisory_lock({GATE})")
    try:
        yield
    finally:
        await connection.execute("SELECT pg_advisory_unlock_all()")
        await connection.execute("DROP FUNCTION hold_up CASCADE")


async def killed_in_the_middle(
    server: "LiveServer", connection: "Connection", headers: dict[str, str]
) -> None:
    """Send the request, wait until it is held up, and kill the server with -9."""
    async with server.client() as client:
        sending = asyncio.create_task(client.post(ITEMS, json=ITEM, headers=headers))
        await wait_for(lambda: connection.fetchval(WAITING, GATE))
        os.kill(server.pid, signal.SIGKILL)
        server.process.wait()
        with pytest.raises(httpx.TransportError):
            await sending


async def over(connection: "Connection") -> None:
    """As when the lease of the dead process has run out; waits for what PostgreSQL still does for it."""
    await connection.execute("UPDATE idempotency_keys SET lease_expires_at = now()")


async def items(connection: "Connection") -> int:
    return int(await connection.fetchval("SELECT count(*) FROM items"))


async def test_the_answer_outlives_process_and_cache(
    live_server: "StartServer", connection: "Connection"
) -> None:
    headers = {"idempotency-key": str(uuid.uuid4())}
    first = await live_server()
    async with first.client() as client:
        made = await client.post(ITEMS, json=ITEM, headers=headers)
    await first.stop()
    second = await live_server({"REDIS_URL": "memory"})
    async with second.client() as client:
        again = await client.post(ITEMS, json=ITEM, headers=headers)
    assert again.content == made.content
    assert again.headers["idempotency-replayed"] == "true"
    assert await items(connection) == 1


async def test_two_servers_carry_a_request_out_once(
    live_server: "StartServer", connection: "Connection"
) -> None:
    """Two processes that share nothing but the database."""
    headers = {"idempotency-key": str(uuid.uuid4())}
    servers = [await live_server({"REDIS_URL": "memory", "WORKERS": workers}) for workers in ("1", "2")]
    async with servers[0].client() as one, servers[1].client() as other:
        answers = await asyncio.gather(
            *(client.post(ITEMS, json=ITEM, headers=headers) for _ in range(25) for client in (one, other))
        )
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert len({answer.content for answer in answers if answer.status_code == 201}) == 1
    assert await items(connection) == 1


async def test_killed_before_the_commit_it_is_carried_out_by_the_next(
    live_server: "StartServer", connection: "Connection"
) -> None:
    headers = {"idempotency-key": str(uuid.uuid4())}
    doomed = await live_server()
    async with held_up(connection, "NEW.committed AND NEW.status IS NULL"):
        await killed_in_the_middle(doomed, connection, headers)
    server = await live_server()
    async with server.client() as client:
        early = await client.post(ITEMS, json=ITEM, headers=headers)
        assert (early.status_code, early.headers["retry-after"]) == (409, "1")
        await over(connection)
        response = await client.post(ITEMS, json=ITEM, headers=headers)
    assert response.status_code == 201
    assert "idempotency-replayed" not in response.headers
    assert await items(connection) == 1


async def test_killed_after_the_commit_it_is_never_carried_out_again(
    live_server: "StartServer", connection: "Connection"
) -> None:
    headers = {"idempotency-key": str(uuid.uuid4())}
    doomed = await live_server()
    async with held_up(connection, "NEW.status IS NOT NULL"):
        await killed_in_the_middle(doomed, connection, headers)
        assert await items(connection) == 1
        await connection.execute(f"SELECT pg_terminate_backend(pid) FROM {AT_THE_GATE}", GATE)
    await over(connection)
    server = await live_server()
    async with server.client() as client:
        for _ in range(2):
            response = await client.post(ITEMS, json=ITEM, headers=headers)
            assert response.status_code == 409
            assert "was carried out" in response.json()["message"]
    assert await items(connection) == 1


async def test_a_commit_of_which_nobody_knows_is_not_repeated(
    client: httpx.AsyncClient, app: "FastAPI", connection: "Connection"
) -> None:
    """The engine dies while PostgreSQL commits: the request fails, and yet its change is made."""
    headers = {"idempotency-key": str(uuid.uuid4())}
    async with held_up(
        connection,
        "NEW.committed",
        "CONSTRAINT TRIGGER hold_up AFTER UPDATE",
        "DEFERRABLE INITIALLY DEFERRED",
    ):
        sending = asyncio.create_task(client.post(ITEMS, json=ITEM, headers=headers))
        await wait_for(lambda: connection.fetchval(WAITING, GATE))
        os.kill(app.state.platform.db.engine.status.pid, signal.SIGKILL)
        # Giving the key up waits for the outcome, which is not known before the gate opens.
        undecided = f"SELECT count(*) FROM {WAITING_LOCKS} WHERE locktype = 'transactionid'"
        await wait_for(lambda: connection.fetchval(undecided))
        assert await items(connection) == 0
        await connection.execute("SELECT pg_advisory_unlock_all()")
        response = await sending
    assert response.status_code == 503
    assert await items(connection) == 1
    again = await client.post(ITEMS, json=ITEM, headers=headers)
    assert again.status_code == 409
    assert "was carried out" in again.json()["message"]
    assert await items(connection) == 1
