"""What every request leaves behind is written for many at once, and nothing of it is lost."""

import asyncio
import json
import re
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

import httpx
import pytest
import structlog

from core.observability.logging import Deferred, _flushes, configure, flush
from core.observability.metrics import Histogram, observe_many, scrape
from tests.fixtures.waiting import wait_for
from tests.http.probe import probe_client, settings_for_probe
from tests.http.test_logging import own_configuration

if TYPE_CHECKING:
    from tests.fixtures.servers import StartServer

__all__ = ["own_configuration"]

TIME = r"\d\d:\d\d:\d\d"
UUID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"


def written(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


@pytest.fixture
def waiting() -> Iterator[list[int]]:
    """A deferred sum of its own."""
    done: list[int] = []
    before = len(_flushes)
    yield done
    del _flushes[before:]


async def test_events_come_soon_and_in_one_piece(capsys: pytest.CaptureFixture[str]) -> None:
    async with probe_client(log_format="json") as client:
        await client.get("/probe/things/a?limit=3", headers={"x-request-id": "r1"})
        assert capsys.readouterr().err == ""
        await client.get("/probe/ok", headers={"x-request-id": "r2"})
        events: list[dict[str, object]] = []

        def there() -> bool:
            events.extend(written(capsys))
            return len(events) == 2

        await wait_for(there)
    first = events[0]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", str(first.pop("timestamp")))
    assert isinstance(first.pop("ms"), float)
    assert first == {
        "event": "http.request",
        "level": "info",
        "method": "GET",
        "route": "/probe/things/{name}",
        "path": "/probe/things/a",
        "status": 200,
        "queries": 0,
        "client": "192.0.2.1",
        "request_id": "r1",
    }
    assert events[1]["request_id"] == "r2"


async def test_the_log_keeps_the_order_of_events(capsys: pytest.CaptureFixture[str]) -> None:
    async with probe_client(log_format="json") as client:
        await client.get("/probe/ok")
        structlog.get_logger().info("probe.later")
        await client.get("/probe/ok")
        await client.get("/probe/crash")
    assert [event["event"] for event in written(capsys)] == [
        "http.request",
        "probe.later",
        "http.request",
        "http.crashed",
        "http.request",
    ]


async def test_text_and_quiet_levels_take_the_usual_way(capsys: pytest.CaptureFixture[str]) -> None:
    async with probe_client(log_format="text") as client:
        await client.get("/probe/ok")
        await client.get(f"/probe/{'long/' * 100}%0A")
    short, long = capsys.readouterr().err.splitlines()
    assert re.fullmatch(rf"{TIME} GET /probe/ok 200 \d+ ms 0q {UUID}", short)
    assert re.fullmatch(rf"{TIME} GET /probe/long/lo[long/]+… 404 \d+ ms 0q {UUID}", long)
    assert len(long) == 100
    async with probe_client(log_format="json", log_level="warning") as client:
        await client.get("/probe/ok")
    flush()
    assert capsys.readouterr().err == ""


async def test_probes_are_not_logged_at_info(capsys: pytest.CaptureFixture[str]) -> None:
    async with probe_client(log_format="json") as client:
        await client.get("/health/live")
        await client.get("/probe/ok")
        flush()
    assert [event["path"] for event in written(capsys)] == ["/probe/ok"]


async def test_odd_paths_are_logged_all_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    from core.http.answers.sending import record

    configure(settings_for_probe(log_format="json"))
    fields = {"method": "GET", "route": "unmatched", "path": "/\ud800", "status": 404, "request_id": "r1"}
    record(0.5, 0.001, fields)
    flush()
    (event,) = written(capsys)
    assert (event["path"], event["timestamp"]) == ("/\ud800", "1970-01-01T00:00:00.500000Z")


async def test_nothing_is_lost_at_the_end(live_server: "StartServer") -> None:
    server = await live_server({"LOG_FORMAT": "json", "LOG_LEVEL": "info"})
    async with server.client() as client:
        for number in range(20):
            assert (await client.get("/", headers={"x-request-id": f"last-{number}"})).status_code == 200
    await server.stop()
    for number in range(20):
        assert server.output().count(f'"request_id":"last-{number}"') == 1


def test_counted_together_is_counted_the_same() -> None:
    bounds = (0.1, 1.0, 5.0)
    one = Histogram("probe_one", "Observed one by one", buckets=bounds)
    many = Histogram("probe_many", "Observed together", buckets=bounds)
    for value in (0.05, 0.1, 0.5, 4.0, 4.5, 100.0):
        one.observe(value)
    observe_many(many, [2, 1, 2, 1], 109.15)
    text = scrape().decode()
    figures = [
        re.findall(rf"^probe_{name}_(\w+(?:{{.*}})?) (\S+)$", text, re.MULTILINE) for name in ("one", "many")
    ]
    assert figures[0] == figures[1]
    assert ("count", "6.0") in figures[0]


async def test_each_piece_is_done_once_whoever_comes(waiting: list[int]) -> None:
    work: Deferred[int] = Deferred(waiting.extend)

    def flush_often() -> None:
        for _ in range(200):
            flush()

    threads = [threading.Thread(target=flush_often) for _ in range(2)]
    for thread in threads:
        thread.start()
    for number in range(5000):
        work.add(number)
    for thread in threads:
        await asyncio.to_thread(thread.join)
    flush()
    assert sorted(waiting) == list(range(5000))


async def test_ids_differ(probe: httpx.AsyncClient) -> None:
    ids = {(await probe.get("/probe/ok")).headers["x-request-id"] for _ in range(50)}
    assert len(ids) == 50
