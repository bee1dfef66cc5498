"""The overview while what it stands on is away."""

import signal
from typing import TYPE_CHECKING

import pytest

from features.keys.tests.factories import make_key
from tests.console.people import sign_in
from tests.faults.processes import engine_of
from tests.fixtures.servers import StartServer
from tests.fixtures.waiting import wait_for

if TYPE_CHECKING:
    from core.database.client import Database


@pytest.mark.slow
async def test_who_is_signed_in_reads_what_is_wrong_while_no_query_is_answered(
    live_server: StartServer, db: "Database"
) -> None:
    server = await live_server({"AUTH": "keys"})
    async with server.client() as client:
        await sign_in(client, (await make_key(db, "admin", "ada")).key)
        assert "All is well" in (await client.get("/console")).text
        engine = engine_of(server.pid)
        assert engine is not None
        engine.send_signal(signal.SIGSTOP)
        page = await client.get("/console")
        engine.send_signal(signal.SIGCONT)
        assert page.status_code == 200
        assert "The query engine does not answer" in page.text
        assert "PostgreSQL does not answer" in page.text
        assert "All is well" not in page.text

        async def well() -> bool:
            return "All is well" in (await client.get("/console")).text

        await wait_for(well)
