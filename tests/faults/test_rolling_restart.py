"""Two replicas behind a load balancer are replaced one after the other, and no client notices."""

import asyncio
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.faults.conftest import Count
from tests.faults.load import Load
from tests.fixtures.programs import running
from tests.fixtures.servers import LiveServer, StartServer, free_port
from tests.fixtures.services import TestServices
from tests.fixtures.waiting import wait_for

pytestmark = pytest.mark.slow

DELAY_S = 3

CONFIGURATION = """
defaults
    mode http
    timeout connect 2s
    timeout client 30s
    timeout server 30s
    timeout check 10s
frontend clients
    bind 127.0.0.1:{port}
    default_backend replicas
backend replicas
    option httpchk GET /health/ready
    default-server check inter 200ms fall 2 rise 2
    server first 127.0.0.1:{first}
    server second 127.0.0.1:{second}
"""


@contextmanager
def haproxy(folder: Path, first: int, second: int) -> Iterator[str]:
    port = free_port()
    configuration = folder / "haproxy.cfg"
    configuration.write_text(CONFIGURATION.format(port=port, first=first, second=second))
    with running("haproxy", "-q", "-f", configuration, folder=folder):
        yield f"http://127.0.0.1:{port}"


@pytest.mark.skipif(shutil.which("haproxy") is None, reason="haproxy is not installed")
async def test_a_rolling_restart_refuses_and_loses_nothing(
    live_server: StartServer, services: TestServices, tmp_path: Path, count: Count
) -> None:
    ports = [free_port(), free_port()]

    async def start(port: int) -> LiveServer:
        return await live_server({"PORT": str(port), "SHUTDOWN_DELAY_S": str(DELAY_S)})

    replicas = await asyncio.gather(*map(start, ports))
    with haproxy(tmp_path, *ports) as url:
        await wait_for(lambda: answers(url))
        async with Load([url]) as load:
            for port, replica in zip(ports, replicas, strict=True):
                assert await replica.stop() == 0
                again = await start(port)
                # The balancer has it back: the other may go.
                await wait_for(lambda again=again: again.output().count("http.request") > 100)  # type: ignore[misc]
    count("two replicas restarted", load, await load.lost(services.database_url), [])
    assert load.refused == 0


async def answers(url: str) -> bool:
    async with httpx.AsyncClient(base_url=url) as client:
        try:
            return (await client.get("/health/ready")).status_code == 200
        except httpx.TransportError:
            return False


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_it_serves_until_the_delay_is_over_and_says_that_it_leaves(
    live_server: StartServer, workers: str
) -> None:
    server = await live_server({"SHUTDOWN_DELAY_S": "600", "WORKERS": workers})
    await wait_for(lambda: server.output().count("app.started") == int(workers))
    async with server.client() as client:
        ready = await client.get("/health/ready")
        assert (ready.status_code, ready.headers.get("connection")) == (200, None)
        server.process.send_signal(signal.SIGTERM)
        await wait_for(lambda: server.output().count("app.leaving") == int(workers))

        async def is_unready() -> bool:
            answer = await client.get("/health/ready")
            return answer.status_code == 503 and answer.json()["draining"]

        await wait_for(is_unready)
        for path in ("/api/items", "/api/items", "/health/live", "/nowhere"):
            answer = await client.get(path)
            assert answer.status_code in (200, 404)
            assert answer.headers["connection"] == "close"
    # A second signal does not wait.
    assert await server.stop() == 0
