"""How the server's processes end: in order, in time, never left behind; on real `serve` processes."""

import asyncio
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.fixtures.waiting import wait_for

if TYPE_CHECKING:
    from tests.fixtures.servers import LiveServer, StartServer

pytestmark = pytest.mark.slow


def status_of(pid: int) -> tuple[str, int] | None:
    """State letter and parent of a process, None when there is no such process."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return fields[0], int(fields[1])


def children_of(pid: int) -> set[int]:
    everyone = {int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal()}
    return {other for other in everyone if (status := status_of(other)) and status[1] == pid}


def descendants_of(pid: int) -> set[int]:
    found = children_of(pid)
    return found.union(*(descendants_of(child) for child in found))


def alive(pids: set[int]) -> set[int]:
    return {pid for pid in pids if (status := status_of(pid)) and status[0] != "Z"}


async def test_requests_that_run_are_finished(live_server: "StartServer") -> None:
    """A request whose body is still arriving when the signal comes gets its answer."""
    server = await live_server()
    reader, writer = await asyncio.open_connection("127.0.0.1", httpx.URL(server.base_url).port)
    body = b'{"title": "late", "description": "late", "category": "dashboard", "priority": "low"}'
    head = b"POST /api/items HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    head += b"content-length: %d\r\n\r\n"
    writer.write(head % len(body) + body[:10])
    await writer.drain()
    async with server.client() as client:  # by its answer the server has read what was sent before
        assert (await client.get("/health/live")).status_code == 200
    server.process.send_signal(signal.SIGTERM)

    async def closed() -> bool:
        async with server.client() as client:
            try:
                await client.get("/health/live")
            except httpx.ConnectError:
                return True
            except httpx.TransportError:  # it was taken, and then the listener closed
                pass
            return False

    await wait_for(closed)
    writer.write(body[10:])
    await writer.drain()
    answer = await asyncio.wait_for(reader.read(), 20)
    writer.close()
    assert answer.startswith(b"HTTP/1.1 201 ")
    assert await server.stop() == 0


async def test_workers_end_when_their_supervisor_is_killed(live_server: "StartServer") -> None:
    server = await live_server({"WORKERS": "2"})
    family = descendants_of(server.pid)
    assert len(family) >= 4  # two workers with an engine each
    server.process.kill()
    await wait_for(lambda: not alive(family), 20, message="processes are left behind")


async def test_a_killed_worker_is_replaced(live_server: "StartServer") -> None:
    server = await live_server({"WORKERS": "2"})
    before = descendants_of(server.pid)
    worker = next(pid for pid in children_of(server.pid) if children_of(pid))
    os.kill(worker, signal.SIGKILL)

    async def replaced() -> bool:
        return bool(descendants_of(server.pid) - before) and await answers(server)

    await wait_for(replaced, 30)


async def answers(server: "LiveServer") -> bool:
    async with server.client() as client:
        try:
            return (await client.get("/health/ready")).status_code == 200
        except httpx.TransportError:
            return False


async def test_metrics_folder_of_a_killed_server_is_removed_by_the_next(live_server: "StartServer") -> None:
    first = await live_server()
    run = first.data_dir / "run"
    [killed] = run.glob("metrics-*")
    first.process.kill()
    await wait_for(lambda: first.process.poll() is not None)
    second = await live_server()
    [current] = run.glob("metrics-*")
    assert current != killed
    assert await second.stop() == 0
    assert not list(run.glob("metrics-*"))
