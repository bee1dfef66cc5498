"""ADMIN_PORT: health and metrics on a port of their own, which asks for no key."""

import re
from typing import TYPE_CHECKING

import httpx
import pytest

from features.keys.tests.factories import bearer, make_key
from tests.fixtures.application import client_of, lifespan_of, new_app
from tests.fixtures.servers import free_port
from tests.fixtures.waiting import wait_for
from tests.http.listening import client as connect
from tests.http.listening import statuses
from tests.http.probe import assert_shape

if TYPE_CHECKING:
    from core.database.client import Database
    from core.settings import Settings
    from tests.fixtures.application import RunningApp
    from tests.fixtures.servers import StartServer

PROBES = ("/health", "/health/live", "/health/ready")
PORT = 9123


async def test_each_port_answers_its_own(settings: "Settings", db: "Database") -> None:
    admin = await make_key(db, "admin")
    app = new_app(settings.model_copy(update={"auth": "keys", "admin_port": PORT}))
    async with lifespan_of(app), client_of(app) as main:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url=f"http://localhost:{PORT}") as second:
            for path in (*PROBES, "/metrics"):
                assert (await second.get(path)).status_code == 200
            for path in ("/", "/docs", "/api/items", "/api/v1/keys", "/nowhere"):
                assert_shape(await second.get(path, headers=bearer(admin)), 404)
        for path in PROBES:
            assert (await main.get(path)).status_code == 200
        # Neither a key nor a header opens what belongs to the other port.
        forged = {**bearer(admin), "host": f"handover.test:{PORT}", "x-forwarded-port": str(PORT)}
        assert_shape(await main.get("/metrics", headers=forged), 404)
        assert (await main.get("/api/items", headers=bearer(admin))).status_code == 200


async def test_without_it_metrics_need_a_key_as_everything_does(
    running_app: "RunningApp", db: "Database"
) -> None:
    reader = await make_key(db, "read")
    async with running_app(auth="keys") as client:
        assert (await client.get("/metrics")).status_code == 401
        assert (await client.get("/metrics", headers=bearer(reader))).status_code == 200


@pytest.mark.slow
async def test_all_workers_serve_both_ports_and_their_figures_are_added_up(
    live_server: "StartServer",
) -> None:
    port = free_port()
    server = await live_server({"ADMIN_PORT": str(port), "WORKERS": "2", "LOG_FORMAT": "text"})
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as second, server.client() as main:
        text = (await second.get("/metrics")).text
        assert "process_resident_memory_bytes" in text
        assert (await second.get("/health")).json()["status"] == "healthy"
        assert (await second.get("/api/items")).status_code == 404
        assert (await main.get("/metrics")).status_code == 404
        assert (await main.get("/api/items")).status_code == 200
    sent = 60
    for _ in range(sent):  # a connection for each, so that both workers get some
        async with server.client() as client:
            assert (await client.get("/")).status_code == 200
    text = ""

    async def all_counted() -> bool:  # a worker writes its figures some milliseconds after the answer
        nonlocal text
        async with httpx.AsyncClient() as client:
            text = (await client.get(f"http://127.0.0.1:{port}/metrics")).text
        pattern = r'tradingsystem_http_requests_total\{method="GET",route="/",status="200"\} (\S+)'
        found = re.search(pattern, text)
        return found is not None and float(found.group(1)) == sent

    await wait_for(all_counted)
    assert len(set(re.findall(r'process_cpu_seconds_total\{pid="(\d+)"\}', text))) >= 2
    for address in (("127.0.0.1", port), ("127.0.0.1", httpx.URL(server.base_url).port or 0)):
        async with connect(address) as connection:
            await connection.send(
                b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\nGET / HTTP/1.1\r\n\r\n"
            )
            assert statuses(await connection.rest()) == [200, 400]
    await wait_for(lambda: f"http://127.0.0.1:{port}/health, and /metrics" in server.output())
    assert await server.stop() == 0
