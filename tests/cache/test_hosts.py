"""Two hosts on one Redis: what one writes, the other hears of in time, or does not use its memory."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from core.cache import Cache, Outcome, Policy
from core.cache.wire import channel_of
from core.settings import Settings
from tests.cache.support import RedisServer, Source, eventually, figure, in_memory, opened

POLICY = Policy("test.hosts", 60, ("things", "thing:{key}"))
ADDRESS = POLICY.address("k")
BOUND_S = Settings().cache_hosts_bound_ms / 1000
LONG_MS = 5000
"""Long enough that only what a test does ends the use of memory, not a machine that is busy."""

Pair = tuple[Cache, Cache]


@pytest.fixture
async def hosts(server: RedisServer, tmp_path: Path) -> AsyncIterator[Pair]:
    async with opened(tmp_path / "a", server.url) as here, opened(tmp_path / "b", server.url) as there:
        yield here, there


async def test_a_write_is_heard_of_within_the_bound(hosts: Pair) -> None:
    here, there = hosts
    source = Source()
    heard = figure("handover_cache_propagation_seconds_count")
    for number in range(30):
        await in_memory(there, source, POLICY)
        source.value = str(number)
        await here.invalidate("thing:k")
        answered = time.monotonic()
        while True:
            began = time.monotonic()
            found = there.peek(ADDRESS)
            if found is None or found.body != str(number - 1).encode():
                break
            assert began - answered < BOUND_S
            await asyncio.sleep(0)
        assert (await there.get_or_load(POLICY, "k", source.load))[0].body == str(number).encode()
    # The app of other tests, in the same process, may hear something too.
    assert figure("handover_cache_propagation_seconds_count") >= heard + 30
    assert figure("handover_cache_confirmation_seconds_count") > 0


async def test_neighbours_of_the_writer_do_not_renew_again(server: RedisServer, tmp_path: Path) -> None:
    source = Source()
    async with opened(tmp_path, server.url) as writer, opened(tmp_path, server.url) as neighbour:
        await in_memory(neighbour, source, POLICY)
        heard = figure("handover_cache_messages_total")
        renewals = figure("handover_cache_propagation_seconds_count")
        await writer.invalidate("thing:k")

        async def all_heard() -> bool:
            return figure("handover_cache_messages_total") == heard + 2

        await eventually(all_heard)
        assert figure("handover_cache_propagation_seconds_count") == renewals


async def test_memory_is_not_used_longer_than_the_bound_without_a_confirmation(
    server: RedisServer, hosts: Pair
) -> None:
    _, there = hosts
    await in_memory(there, Source(), POLICY)
    server.stop()
    stopped = time.monotonic()
    while there.peek(ADDRESS) is not None:
        assert time.monotonic() - stopped < 2 * BOUND_S
        await asyncio.sleep(0)
    assert (await there.get_or_load(POLICY, "k", Source("loaded").load))[0].body == b"loaded"
    server.resume()
    await in_memory(there, Source(), POLICY)


@pytest.mark.parametrize("end", ["cut", "garbage", "silence"])
async def test_when_the_subscription_ends_all_that_was_kept_is_left_behind(
    server: RedisServer, tmp_path: Path, end: str
) -> None:
    source = Source("old")
    async with opened(tmp_path, server.url, cache_hosts_bound_ms=LONG_MS) as there:
        await in_memory(there, source, POLICY)
        lost = figure("handover_cache_subscriptions_lost_total")
        with server.client() as client:
            if end == "cut":
                client.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
            elif end == "garbage":
                client.publish(channel_of({}), b"?")
            else:
                server.stop()

        async def noticed() -> bool:
            return figure("handover_cache_subscriptions_lost_total") > lost

        await eventually(noticed)
        server.resume()
        assert there.peek(ADDRESS) is None
        source.value = "new"  # as if another host had written it and could not say so
        assert (await there.get_or_load(POLICY, "k", source.load))[0].body == b"new"
        await in_memory(there, source, POLICY)


@pytest.mark.parametrize("silent_share", [0.2, 0.6])
async def test_a_redis_that_is_slow_for_a_moment_makes_nobody_forget(
    server: RedisServer, tmp_path: Path, silent_share: float
) -> None:
    """No writer has given up on it meanwhile, so nothing can have been missed."""
    source = Source()
    async with opened(tmp_path, server.url) as there:
        await in_memory(there, source, POLICY)
        lost = figure("handover_cache_subscriptions_lost_total")
        server.stop()
        try:
            await asyncio.sleep(silent_share * Settings().redis_timeout_s)
        finally:
            server.resume()
        await in_memory(there, source, POLICY)
        assert source.loads == 1
        assert figure("handover_cache_subscriptions_lost_total") == lost


async def test_what_was_noted_between_two_subscriptions_is_not_used_under_the_next(
    server: RedisServer, tmp_path: Path
) -> None:
    source = Source("old")
    async with opened(tmp_path, server.url, cache_hosts_bound_ms=LONG_MS) as there:
        await in_memory(there, source, POLICY, "warm")
        lost = figure("handover_cache_subscriptions_lost_total")
        with server.client() as client:
            client.execute_command("CLIENT", "KILL", "TYPE", "pubsub")

        async def noticed() -> bool:
            return figure("handover_cache_subscriptions_lost_total") > lost

        await eventually(noticed)
        assert (await there.get_or_load(POLICY, "k", source.load))[1] is not Outcome.HIT
        assert server.subscribers() == 0
        await in_memory(there, source, POLICY, "warm")  # subscribed again
        assert there.peek(ADDRESS) is None


async def test_a_writer_that_redis_failed_once_is_heard_within_the_bound(
    server: RedisServer, hosts: Pair
) -> None:
    here, there = hosts
    source = Source("old")
    await in_memory(there, source, POLICY)
    server.stop()
    source.value = "new"
    await here.invalidate("things")
    server.resume()
    resumed = time.monotonic()
    while (await there.get_or_load(POLICY, "k", source.load))[0].body != b"new":
        assert time.monotonic() - resumed < BOUND_S


async def test_stamps_differ_after_an_invalidation_and_whenever_one_may_go_unheard(
    server: RedisServer, hosts: Pair
) -> None:
    here, there = hosts
    await in_memory(there, Source(), POLICY)
    noted = there.stamps_of("things")

    async def heard() -> bool:
        now = there.stamps_of("things")
        return now != noted and now == there.stamps_of("things")

    await here.invalidate("things")
    await eventually(heard)
    server.kill()

    async def unknown() -> bool:
        return there.stamps_of("things") != there.stamps_of("things")

    await eventually(unknown)
