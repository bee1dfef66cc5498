"""Single flight across the workers of a host: one load, never a long wait, whatever becomes of the loader."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from core.cache import Cache, Entry, Policy
from core.cache.lease import LEASE_S, WORTHWHILE_S
from tests.cache.support import RedisServer, Source, entry, eventually, figure, opened

POLICY = Policy("test.lease", 60, ("things",))

Pair = tuple[Cache, Cache]


@pytest.fixture
async def workers(server: RedisServer, tmp_path: Path) -> AsyncIterator[Pair]:
    async with opened(tmp_path, server.url) as one, opened(tmp_path, server.url) as two:
        await one.get_or_load(POLICY, "warm", Source().load)  # the tags' stamps exist now
        yield one, two


class Slow(Source):
    """A load that goes on until it is let go."""

    def __init__(self, value: str = "1") -> None:
        super().__init__(value)
        self.begun, self.go_on = asyncio.Event(), asyncio.Event()
        self.error: Exception | None = None

    async def load(self) -> Entry:
        self.begun.set()
        await self.go_on.wait()
        if self.error is not None:
            raise self.error
        return await super().load()


def leases(server: RedisServer) -> list[bytes]:
    with server.client() as client:
        return list(client.scan_iter(match="*:lease:*"))


async def waits(server: RedisServer) -> None:
    """Until somebody has asked whether the lease is still held."""

    async def asked() -> bool:
        with server.client() as client:
            return "cmdstat_exists" in client.info("commandstats")

    await eventually(asked)


async def make_slow(cache: Cache) -> None:
    """The worker learns that loads of this policy take a while: the first one, of the fixture, did not."""

    async def load() -> Entry:
        await asyncio.sleep(8 * WORTHWHILE_S)
        return entry("slow")

    await cache.get_or_load(POLICY, "slow", load)


async def test_two_workers_load_once(server: RedisServer, workers: Pair) -> None:
    one, two = workers
    await make_slow(one)
    slow, other = Slow(), Source("other")
    joined = figure("handover_cache_joined_workers_total", policy=POLICY.name)
    first = asyncio.create_task(one.get_or_load(POLICY, "k", slow.load))
    await slow.begun.wait()
    second = asyncio.create_task(two.get_or_load(POLICY, "k", other.load))
    await waits(server)
    slow.go_on.set()
    assert (await first)[0] == (await second)[0] == entry("1")
    assert (slow.loads, other.loads) == (1, 0)
    assert figure("handover_cache_joined_workers_total", policy=POLICY.name) == joined + 1
    assert leases(server) == []


async def test_a_load_that_fails_sends_the_other_worker_to_load(server: RedisServer, workers: Pair) -> None:
    one, two = workers
    await make_slow(one)
    slow, other = Slow(), Source("other")
    slow.error = OSError("no")
    first = asyncio.create_task(one.get_or_load(POLICY, "k", slow.load))
    await slow.begun.wait()
    second = asyncio.create_task(two.get_or_load(POLICY, "k", other.load))
    await waits(server)
    slow.go_on.set()
    with pytest.raises(OSError, match="no"):
        await first
    assert (await second)[0] == entry("other")


async def test_a_loader_that_is_never_heard_of_again_costs_its_lease(
    server: RedisServer, workers: Pair
) -> None:
    one, two = workers
    await make_slow(one)
    slow, other = Slow(), Source("other")
    first = asyncio.create_task(one.get_or_load(POLICY, "k", slow.load))
    await slow.begun.wait()
    began = time.monotonic()
    assert (await two.get_or_load(POLICY, "k", other.load))[0] == entry("other")
    assert 0.5 * LEASE_S < time.monotonic() - began < LEASE_S + 1
    slow.go_on.set()
    await first


@pytest.mark.parametrize("fault", ["kill", "stop"])
async def test_who_waits_loads_when_redis_fails(server: RedisServer, workers: Pair, fault: str) -> None:
    one, two = workers
    await make_slow(one)
    slow, other = Slow(), Source("other")
    first = asyncio.create_task(one.get_or_load(POLICY, "k", slow.load))
    await slow.begun.wait()
    second = asyncio.create_task(two.get_or_load(POLICY, "k", other.load))
    await waits(server)
    began = time.monotonic()
    server.kill() if fault == "kill" else server.stop()
    assert (await second)[0] == entry("other")
    assert time.monotonic() - began < LEASE_S
    slow.go_on.set()
    assert (await first)[0] == entry("1")
    if fault == "stop":
        server.resume()


async def test_a_reader_after_a_write_does_not_wait_for_a_load_from_before(
    server: RedisServer, workers: Pair
) -> None:
    one, two = workers
    await make_slow(one)
    slow, other = Slow("old"), Source("new")
    first = asyncio.create_task(one.get_or_load(POLICY, "k", slow.load))
    await slow.begun.wait()
    await two.invalidate("things")
    assert (await two.get_or_load(POLICY, "k", other.load))[0] == entry("new")
    assert len(leases(server)) == 1  # the first one's: had it been waited for, it would have ended
    slow.go_on.set()
    await first
    assert (await one.get_or_load(POLICY, "k", other.load))[0] == entry("new")


async def test_quick_loads_take_no_lease(
    server: RedisServer, workers: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.cache.lease.WORTHWHILE_S", 5.0)  # the first load was quicker on any machine
    one, _ = workers
    slow = Slow()
    read = asyncio.create_task(one.get_or_load(POLICY, "k", slow.load))
    await slow.begun.wait()
    assert leases(server) == []
    slow.go_on.set()
    await read
