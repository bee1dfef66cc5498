"""Event streams of jobs and the keys that opened them."""

import asyncio
from datetime import timedelta

import pytest

from core.database.client import Database
from features.jobs.tests.test_streams import Stream, opened
from features.keys.tests.factories import bearer, make_key
from tests.fixtures.servers import StartServer
from tests.jobs.conftest import MakeJobs
from tests.jobs.handlers import CALLER, Gate

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("how", ["revoked", "expired"])
async def test_a_key_that_ends_ends_its_streams(
    live_server: StartServer, make_jobs: MakeJobs, db: Database, how: str
) -> None:
    server = await live_server({"AUTH": "keys"})
    admin = await make_key(db, "admin", name="admin")
    life = timedelta(seconds=4) if how == "expired" else None
    other = await make_key(db, "admin", name="other", expires_in=life)
    job = await make_jobs(Gate().kind).enqueue(db, "test.gate", {}, CALLER)
    opening = [
        asyncio.ensure_future(Stream.open(server, job.id, key=key.key)) for key in (other, other, admin)
    ]
    async with server.client(headers=bearer(admin)) as client, opened(*opening) as streams:
        assert [await stream.begun() for stream in streams] == [1, 1, 1]
        ended = [asyncio.create_task(stream.ids()) for stream in streams]
        if how == "revoked":
            assert (await client.delete(f"/api/v1/keys/{other.id}")).status_code == 200
        async with asyncio.timeout(4 + 5):
            assert await asyncio.gather(*ended[:2]) == [[], []]
        assert not ended[2].done()
        ended[2].cancel()
