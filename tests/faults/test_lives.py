"""What a host has cached, when the database becomes another one or the host stands still for a while."""

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import httpx
import pytest

from core.server.embedded.postgres import Postgres
from core.server.embedded.server import ServicePaths
from tests.faults.conftest import Breakable, Hosts
from tests.faults.processes import engine_of
from tests.fixtures.services import forget_versions, pg_program
from tests.fixtures.waiting import wait_for

pytestmark = pytest.mark.slow

BOUND_S = 0.05
ITEM = {"title": "one", "description": "D", "category": "dashboard", "priority": "low"}
STILL_S = 3.0


class Proxy:
    """The one address of a database that fails over: leads to whichever server is the primary."""

    def __init__(self, primary: Breakable) -> None:
        self.primary = primary
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        assert self._server is not None
        port = self._server.sockets[0].getsockname()[1]
        return f"postgresql://handover@127.0.0.1:{port}/handover"

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._lead, "127.0.0.1", 0)

    async def close(self) -> None:
        assert self._server is not None
        self._server.close()

    async def _lead(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        socket = self.primary.service.paths.socket_dir / ".s.PGSQL.5432"
        try:
            onward, back = await asyncio.open_unix_connection(str(socket))
        except OSError:
            writer.close()
            return
        await asyncio.gather(_pump(reader, back), _pump(onward, writer))


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


@pytest.fixture
async def proxy(own_postgres: Breakable) -> AsyncIterator[Proxy]:
    proxy = Proxy(own_postgres)
    await proxy.start()
    yield proxy
    forget_versions(proxy.url)
    await proxy.close()


@pytest.fixture
def standbys(own_postgres: Breakable, tmp_path: Path) -> Iterator[list[Breakable]]:
    """Stopped with the test."""
    started: list[Breakable] = []
    yield started
    for standby in started:
        standby.stop()


def copied(primary: Breakable, folder: Path) -> Postgres:
    """A server with all that the primary has now, and nothing of what it gets later."""
    service = Postgres(ServicePaths("postgres", folder))
    service.paths.base.mkdir(parents=True, mode=0o700)
    data = f"--pgdata={service.paths.data}"
    command = [str(pg_program("pg_basebackup")), data, "--checkpoint=fast", f"--dbname={primary.url}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    if service.account is not None:
        for path in (service.paths.data, *service.paths.data.rglob("*")):
            os.chown(path, service.account.uid, service.account.gid)
    return service


async def title_of(client: httpx.AsyncClient, path: str) -> str | None:
    """None: there was no answer."""
    answer = await client.get(path)
    return str(answer.json()["data"]["title"]) if answer.status_code == 200 else None


async def changed(writer: httpx.AsyncClient, reader: httpx.AsyncClient, path: str, title: str) -> None:
    """Acknowledged on one host, shown on the other: by every read that begins later than the bound."""

    async def acknowledged() -> bool:
        return (await writer.put(path, json={"title": title})).status_code == 200

    await wait_for(acknowledged, 30)
    written_at = time.monotonic()
    while True:
        began = time.monotonic()
        shown = await title_of(reader, path)
        if shown == title:
            return
        late_s = began - written_at
        assert shown is None or late_s < BOUND_S, f"{shown} {late_s:.3f} s after {title}"


async def cached(client: httpx.AsyncClient, path: str) -> str:
    async def hit() -> str | None:
        answer = await client.get(path)
        is_hit = answer.status_code == 200 and answer.headers["x-cache"] == "HIT"
        return str(answer.json()["data"]["title"]) if is_hit else None

    return str(await wait_for(hit, 30))


async def test_a_failover_to_a_standby_that_lagged(
    hosts: Hosts, proxy: Proxy, standbys: list[Breakable], tmp_path: Path
) -> None:
    """What the standby never got is nowhere shown again, and what is written there is, although PostgreSQL
    gives out the same transaction ids once more.
    """
    one, other = await hosts(DATABASE_URL=proxy.url)
    async with one.client() as writer, other.client() as reader:
        path = f"/api/items/{(await writer.post('/api/items', json=ITEM)).json()['data']['id']}"
        service = await asyncio.to_thread(copied, proxy.primary, tmp_path / "standby")
        for number in range(40):
            await changed(writer, reader, path, f"lost {number}")
        assert await cached(reader, path) == "lost 39"
        primary = proxy.primary
        await asyncio.to_thread(primary.kill)
        killed_at = time.monotonic()
        service.prepare()
        standby = Breakable(service, service.spawn())
        standbys.append(standby)
        proxy.primary = standby
        while True:
            began = time.monotonic()
            shown = await title_of(reader, path)
            assert shown in ("one", None) or began - killed_at < BOUND_S, shown
            if shown == "one":
                break
            assert began - killed_at < 60
        for number in range(60):
            await cached(reader, path)
            await changed(writer, reader, path, f"kept {number}")


@pytest.mark.parametrize("how", ["backend", "server"])
async def test_a_crash_of_postgres(hosts: Hosts, own_postgres: Breakable, how: str) -> None:
    one, other = await hosts(DATABASE_URL=own_postgres.url)
    async with one.client() as writer, other.client() as reader:
        path = f"/api/items/{(await writer.post('/api/items', json=ITEM)).json()['data']['id']}"
        for number in range(3):
            await changed(writer, reader, path, f"before {number}")
            await cached(reader, path)
            if how == "server":
                await asyncio.to_thread(own_postgres.kill)
                await asyncio.to_thread(own_postgres.start)
            else:
                connection = await asyncpg.connect(own_postgres.url)
                os.kill(connection.get_server_pid(), signal.SIGKILL)
                connection.terminate()
            for change in range(5):
                await changed(writer, reader, path, f"after {number} {change}")
                await cached(reader, path)


async def test_a_host_that_stood_still(hosts: Hosts) -> None:
    one, other = await hosts()
    async with one.client() as writer, other.client() as reader:
        path = f"/api/items/{(await writer.post('/api/items', json=ITEM)).json()['data']['id']}"
        for number in range(3):
            await cached(reader, path)
            engine = engine_of(other.pid)
            assert engine is not None
            os.kill(other.pid, signal.SIGSTOP)
            engine.send_signal(signal.SIGSTOP)
            try:
                assert (await writer.put(path, json={"title": str(number)})).status_code == 200
                asked = asyncio.create_task(title_of(reader, path))
                stood_since = time.monotonic()
                await wait_for(lambda since=stood_since: time.monotonic() > since + STILL_S)  # type: ignore[misc]
            finally:
                engine.send_signal(signal.SIGCONT)
                os.kill(other.pid, signal.SIGCONT)
            assert await asked == str(number)
            assert await cached(reader, path) == str(number)
