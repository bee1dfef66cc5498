"""The engine process dies, hangs or loses its database: what callers see, and how it comes back."""

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from core.database import supervisor
from core.database.client import Database
from core.database.errors import DatabaseProblem, DatabaseUnavailable, EngineUnavailable
from core.database.process import EngineOptions
from core.server.embedded.postgres import Postgres
from core.server.embedded.server import ServicePaths
from tests.database.engines import connected, figures, kill_engine
from tests.fixtures.programs import runs
from tests.fixtures.services import TestServices
from tests.fixtures.transactions import transaction
from tests.fixtures.waiting import wait_for

pytestmark = pytest.mark.slow


async def test_killed_twenty_times_under_load_it_comes_back_and_nobody_waits_or_gets_a_wrong_answer(
    services: TestServices,
) -> None:
    answered, refused, wrong, slowest = 0, 0, 0, 0.0
    stop = asyncio.Event()

    async def ask(db: Database, number: int) -> None:
        nonlocal answered, refused, wrong, slowest
        while not stop.is_set():
            started = time.monotonic()
            try:
                row = await db.query_first("SELECT $1::int AS number, pg_sleep(0.002)::text AS slept", number)
            except EngineUnavailable as error:
                refused += (error.status, error.retry_after) == (503, 1)
            else:
                answered += 1
                wrong += row != {"number": number, "slept": ""}
            slowest = max(slowest, time.monotonic() - started)

    async with connected(services.database_url) as db:
        load = [asyncio.create_task(ask(db, number)) for number in range(20)]
        for kill in range(1, 21):
            before = answered

            async def answers_again(before: int = before) -> bool:
                return answered > before + 40

            assert await wait_for(answers_again)
            kill_engine(db)
            assert await wait_for(lambda kill=kill: db.engine.status.restarts == kill)  # type: ignore[misc]
            await db.query_raw("SELECT 1 AS one")
        stop.set()
        await asyncio.gather(*load)
        assert db.engine.status.restarts == 20
    assert wrong == 0
    assert refused > 0
    assert answered > 400
    assert slowest < 5 * supervisor.RESTART_WAIT_S


async def test_a_transaction_of_a_killed_engine_is_not_committed(
    services: TestServices, empty_tables: Callable[[], Awaitable[None]]
) -> None:
    await empty_tables()
    async with connected(services.database_url) as db:

        async def interrupted() -> None:
            async with transaction(db) as tx:
                await tx.execute_raw(
                    "INSERT INTO import_rejects VALUES (gen_random_uuid(), 0, 'p', 'r', '[]', '{}')"
                )
                kill_engine(db)

        with pytest.raises(DatabaseProblem):
            await interrupted()
        assert await db.importreject.count() == 0


async def test_an_engine_that_hangs_is_killed_and_replaced(
    services: TestServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "PROBE_TIMEOUT_S", 0.5)
    async with connected(services.database_url) as db:
        pid = db.engine.status.pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        waiting = asyncio.create_task(db.query_raw("SELECT 1 AS one"))
        with pytest.raises(EngineUnavailable):
            await asyncio.wait_for(waiting, 10)
        assert await db.query_raw("SELECT 1 AS one") == [{"one": 1}]
        assert db.engine.status.pid != pid


@pytest.fixture
def own_postgres(tmp_path: Path) -> Iterator[tuple[Postgres, list[subprocess.Popen[bytes]]]]:
    """A server of the test's own, because it is going to be stopped; the list holds its process."""
    paths = ServicePaths("postgres", tmp_path)
    paths.base.mkdir(parents=True, mode=0o700)
    server = Postgres(paths)
    server.prepare()
    running = [server.spawn()]
    server.wait_ready(running[0])
    yield server, running
    server.stop(running[0])


async def test_a_database_that_restarts_is_connected_to_again(
    own_postgres: tuple[Postgres, list[subprocess.Popen[bytes]]],
) -> None:
    server, running = own_postgres
    async with connected(server.url) as db:
        await asyncio.gather(*(db.query_raw("SELECT 1 AS one") for _ in range(10)))
        sleeping = asyncio.create_task(db.query_raw("SELECT pg_sleep(30)::text AS slept"))
        assert await wait_for(lambda: db.engine.status.in_flight > 0)
        await asyncio.to_thread(server.stop, running[0])
        with pytest.raises(DatabaseUnavailable):
            await asyncio.wait_for(sleeping, 10)
        with pytest.raises(DatabaseUnavailable) as down:
            await db.query_raw("SELECT 1 AS one")
        assert down.value.status == 503
        with pytest.raises(DatabaseUnavailable):
            async with transaction(db):
                pass
        running[0] = server.spawn()
        await asyncio.to_thread(server.wait_ready, running[0])
        assert await db.query_raw("SELECT 1 AS one") == [{"one": 1}]
        async with transaction(db) as tx:
            assert await tx.query_raw("SELECT 2 AS two") == [{"two": 2}]
        assert db.engine.status.restarts == 0


async def test_the_engine_goes_with_its_parent_even_when_that_is_killed(services: TestServices) -> None:
    program = textwrap.dedent(
        """
        import asyncio, sys
        from core.database.client import Database
        from core.database.process import EngineOptions

        async def main():
            db = Database(EngineOptions(url=sys.argv[1]))
            await db.connect()
            print("ENGINE", db.engine.status.pid, flush=True)
            await asyncio.Event().wait()

        asyncio.run(main())
        """
    )
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, services.database_url, stdout=subprocess.PIPE
    )
    try:
        assert parent.stdout is not None
        line = b""
        while not line.startswith(b"ENGINE "):
            line = await parent.stdout.readline()
            assert line, "the program ended without starting its engine"
        engine_pid = int(line.split()[1])
        assert runs(engine_pid)
    finally:
        parent.kill()
        await parent.wait()
    assert await wait_for(lambda: not runs(engine_pid))


async def test_disconnect_ends_the_engine_and_later_calls_say_so(services: TestServices) -> None:
    from prisma.errors import ClientNotConnectedError

    async with connected(services.database_url) as db:
        pid = db.engine.status.pid
        assert pid is not None
    assert not runs(pid)
    with pytest.raises(ClientNotConnectedError):
        await db.query_raw("SELECT 1")


async def test_an_engine_that_cannot_start_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.database.process.NODE", Path("/nonexistent/node"))
    db = Database(EngineOptions(url="postgresql://nobody@localhost/nothing"))
    with pytest.raises(EngineUnavailable, match="cannot be started"):
        await db._create_engine().connect(timeout=timedelta(seconds=0.5))


async def test_engine_and_pool_figures_are_in_the_metrics(services: TestServices) -> None:
    async with connected(services.database_url) as db:
        await asyncio.gather(*(db.item.count() for _ in range(10)))
        kill_engine(db)
        assert await wait_for(lambda: db.engine.status.restarts == 1)
        await asyncio.gather(*(db.item.count() for _ in range(10)))
        assert await wait_for(lambda: db.engine.status.pool_total > 0)
        found = figures()
    assert found["handover_engine_restarts_total"] >= 1
    assert found['handover_database_query_seconds_count{model="Item",operation="count"}'] >= 20
    assert found['handover_database_pool_connections{state="total"}'] >= 1
    assert 'handover_database_pool_connections{state="idle"}' in found
    assert "handover_database_pool_waiting" in found
    assert "handover_engine_in_flight" in found
    assert found["handover_engine_resident_memory_bytes"] > 20_000_000


async def test_the_first_query_of_a_kind_is_never_a_slow_one(services: TestServices) -> None:
    """It opens the connection and loads the engine's code, on a loaded machine for long."""
    import structlog

    async with connected(services.database_url, slow_query_ms=0) as db:
        with structlog.testing.capture_logs() as entries:
            await db.query_raw("SELECT 1 AS one")
            await db.item.count()
            await db.item.find_many(take=1)
            assert [each for each in entries if each["event"] == "database.slow_query"] == []
            await db.item.count()
    slow = [each for each in entries if each["event"] == "database.slow_query"]
    assert [(each["model"], each["operation"]) for each in slow] == [("Item", "count")]


async def test_slow_queries_are_logged_without_their_values(
    services: TestServices, capsys: pytest.CaptureFixture[str]
) -> None:
    import structlog

    async with connected(services.database_url) as db:
        with structlog.testing.capture_logs() as entries:
            await db.query_raw("SELECT pg_sleep(0.25)::text AS first")  # it also loads the engine's code
            await db.query_raw("SELECT pg_sleep(0.25)::text, $1::text AS given", "secret value")
            await db.item.count()
    slow = [entry for entry in entries if entry["event"] == "database.slow_query"]
    assert len(slow) == 1
    assert slow[0]["operation"] == "queryRaw"
    assert slow[0]["ms"] >= 250
    assert "secret" not in str(slow)
