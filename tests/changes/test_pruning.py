"""Lines of the log are pruned: who has read them does not notice, who may not have leaves all behind."""

import pytest

from features.changes.jobs import KEPT, PRUNE
from tests.changes.conftest import StartHost, cached, no_looks
from tests.changes.test_hosts import ITEM, made, says
from tests.changes.test_lives import unlogged
from tests.fixtures.database import Connection
from tests.fixtures.jobs import RunJob
from tests.fixtures.waiting import wait_for

pytestmark = pytest.mark.slow


async def prune(connection: Connection, run_job: RunJob) -> None:
    """As by another host, a long time later."""
    await connection.execute("UPDATE changes SET at = now() - 2 * $1::interval", KEPT)
    await run_job(PRUNE)
    assert not await connection.fetch("SELECT 1 FROM changes WHERE model = 'Item'")


async def test_whoever_has_not_read_what_is_pruned_begins_anew(
    host: StartHost, connection: Connection, run_job: RunJob
) -> None:
    """Nobody reads for hours, and so nobody looks; the other host prunes the log meanwhile."""
    async with host("a", cache_ttl_s=3600) as client:
        path = await made(client, "/api/items", ITEM)
        await cached(client, path)
        await no_looks(connection)
        await connection.execute("UPDATE items SET title = 'changed'")
        await prune(connection, run_job)
        assert "changed" in (await client.get(path)).text


async def test_what_has_been_read_is_pruned_without_a_trace(
    host: StartHost, connection: Connection, run_job: RunJob
) -> None:
    # A bound that no pause of a busy machine is longer than: beyond it nothing cached is used.
    async with host("a", cache_ttl_s=3600, cache_hosts_bound_ms=2000) as client:

        async def shows(path: str, title: str) -> None:
            async def told() -> bool:
                return bool(says(title)(await client.get(path)))

            await wait_for(told)

        path, other = [await made(client, "/api/items", ITEM) for _ in range(2)]
        await connection.execute("UPDATE items SET title = 'changed'")
        await shows(path, "changed")
        etag = (await cached(client, path)).headers["etag"]
        async with unlogged(connection):
            await connection.execute("UPDATE items SET title = 'unseen'")
        await prune(connection, run_job)
        await connection.execute("UPDATE items SET title = 'later' WHERE '/api/items/' || id = $1", other)
        await shows(other, "later")
        kept = await client.get(path)
        assert (kept.headers["x-cache"], kept.headers["etag"]) == ("HIT", etag)


async def test_a_deletion_from_the_log_names_the_newest_transaction(connection: Connection) -> None:
    """By its number, not by how that is written: 10 comes after 9."""
    await connection.execute(
        "INSERT INTO changes (xid, model, operation) SELECT n::text::xid8, 'Item', 'update' "
        "FROM generate_series(8, 12) AS n"
    )
    await connection.execute("DELETE FROM changes WHERE xid < '13'")
    assert await connection.fetchval("SELECT row_id FROM changes ORDER BY id DESC LIMIT 1") == "12"
