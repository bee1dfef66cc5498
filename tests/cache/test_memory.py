"""Memory in front of Redis: what costs no round trip, what may be peeked at, what is kept how long."""

import asyncio
from pathlib import Path

from core.cache import Cache, Entry, Outcome, Policy
from tests.cache.support import RedisServer, Source, entry, eventually, figure, in_memory, opened
from tests.fixtures.waiting import PATIENCE_S

POLICY = Policy("test.memory", 60, ("things", "thing:{key}"))
ADDRESS = POLICY.address("k")
HIT, MISS = Outcome.HIT, Outcome.MISS


def asked(server: RedisServer) -> int:
    with server.client() as client:
        figures = client.info("commandstats")
    return sum(figures.get(f"cmdstat_{name}", {}).get("calls", 0) for name in ("get", "mget", "exists"))


async def test_a_hit_in_memory_asks_redis_nothing(shared_server: RedisServer, tmp_path: Path) -> None:
    source = Source()
    async with opened(tmp_path, shared_server.url) as cache:
        await in_memory(cache, source, POLICY)
        before, hits = asked(shared_server), figure("handover_cache_hits_total", tier="memory")
        for _ in range(100):
            assert await cache.get_or_load(POLICY, "k", source.load) == (entry("1"), HIT)
            assert cache.peek(ADDRESS) == entry("1")
        assert asked(shared_server) == before
        assert figure("handover_cache_hits_total", tier="memory") >= hits + 100
    assert figure("handover_cache_hits_total", tier="memory") >= hits + 200
    assert source.loads == 1


async def test_what_another_worker_loaded_comes_from_redis_once(
    shared_server: RedisServer, tmp_path: Path
) -> None:
    source = Source()
    async with opened(tmp_path, shared_server.url) as one, opened(tmp_path, shared_server.url) as two:
        await in_memory(one, source, POLICY)
        before = figure("handover_cache_hits_total", tier="redis")
        await in_memory(two, source, POLICY)
        assert figure("handover_cache_hits_total", tier="redis") > before
    assert source.loads == 1


async def test_a_peek_sees_what_is_current_and_nothing_else(cache: Cache) -> None:
    source = Source()
    assert cache.peek(ADDRESS) is None
    await in_memory(cache, source, POLICY)
    assert cache.peek(POLICY.address("other")) is None
    await cache.invalidate("thing:k")
    assert cache.peek(ADDRESS) is None
    await in_memory(cache, source, POLICY)
    await cache.invalidate("thing:other")
    assert cache.peek(ADDRESS) == entry("1")


async def test_a_peek_does_not_see_what_has_expired(tmp_path: Path) -> None:
    policy, source = Policy("test.short", 0.05, ("things",), stale_s=60), Source()
    async with opened(tmp_path) as cache:
        await in_memory(cache, source, policy)

        async def expired() -> bool:
            return cache.peek(policy.address("k")) is None

        await eventually(expired)


async def test_peeks_are_counted_soon(tmp_path: Path) -> None:
    async with opened(tmp_path) as cache:
        await in_memory(cache, Source(), POLICY)
        name, labels = "handover_cache_requests_total", {"policy": POLICY.name, "outcome": "hit"}
        before = figure(name, **labels)
        for _ in range(5):
            cache.peek(ADDRESS)

        async def counted() -> bool:
            return figure(name, **labels) >= before + 5

        await eventually(counted)


async def test_switched_off_nothing_is_peeked_at(tmp_path: Path) -> None:
    async with opened(tmp_path, cache_max_bytes=0) as cache:
        for _ in range(3):
            await cache.get_or_load(POLICY, "k", Source().load)
            assert cache.peek(ADDRESS) is None


async def test_a_variant_lives_and_dies_with_its_original(cache: Cache) -> None:
    source, small = Source(), Entry(b"small", "e")
    variant = ADDRESS.variant("gzip")
    assert variant.digest not in {ADDRESS.digest, ADDRESS.variant("br").digest}
    await in_memory(cache, source, POLICY)
    original = cache.peek(ADDRESS)
    assert original is not None
    cache.keep(variant, small, of=ADDRESS, as_of=original)
    assert cache.peek(variant) == small
    await cache.invalidate("things")
    assert cache.peek(variant) is None


async def test_a_variant_of_what_has_been_replaced_is_not_kept(cache: Cache) -> None:
    source = Source("old")
    await in_memory(cache, source, POLICY)
    original = cache.peek(ADDRESS)
    assert original is not None
    await cache.invalidate("things")
    source.value = "new"
    await in_memory(cache, source, POLICY)
    cache.keep(ADDRESS.variant("gzip"), Entry(b"small", "e"), of=ADDRESS, as_of=original)
    assert cache.peek(ADDRESS.variant("gzip")) is None


STATS = Policy("test.stats", 0.1, ("things",), stale_s=60)


async def expired(cache: Cache) -> None:
    async def gone() -> bool:
        return cache.peek(STATS.address("k")) is None

    await eventually(gone)


async def test_an_expired_entry_is_served_while_one_load_renews_it(cache: Cache) -> None:
    source, go_on = Source("old"), asyncio.Event()
    await in_memory(cache, source, STATS)
    await expired(cache)
    loads, source.value = source.loads, "new"

    async def slow() -> Entry:
        await go_on.wait()
        return await source.load()

    for _ in range(10):
        assert await cache.get_or_load(STATS, "k", slow) == (entry("old"), HIT)
    go_on.set()

    async def renewed() -> bool:
        return (await cache.get_or_load(STATS, "k", slow))[0] == entry("new")

    await eventually(renewed)
    assert source.loads == loads + 1


async def test_what_was_invalidated_is_never_served_however_fresh(cache: Cache) -> None:
    source = Source("old")
    await cache.get_or_load(STATS, "k", source.load)
    source.value = "new"
    await cache.invalidate("things")
    assert await cache.get_or_load(STATS, "k", source.load) == (entry("new"), MISS)


async def test_a_renewal_that_fails_leaves_the_old_answer(cache: Cache) -> None:
    source = Source("old")
    await in_memory(cache, source, STATS)
    await expired(cache)
    failed = asyncio.Event()

    async def failing() -> Entry:
        failed.set()
        raise OSError("no")

    assert await cache.get_or_load(STATS, "k", failing) == (entry("old"), HIT)
    await asyncio.wait_for(failed.wait(), PATIENCE_S)
    assert await cache.get_or_load(STATS, "k", failing) == (entry("old"), HIT)
