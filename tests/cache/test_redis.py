"""Redis going away, hanging, restarting, forgetting and remembering: slower, never wrong, never an error."""

import asyncio
import os
import random
import time
from pathlib import Path

import pytest

from core.cache import Cache, CacheUnavailable, Entry, Outcome, Policy
from tests.cache.support import RedisServer, Source, eventually, figure, opened

POLICY = Policy("test.redis", 60, ("things", "thing:{key}"))
BYPASS, HIT, MISS = Outcome.BYPASS, Outcome.HIT, Outcome.MISS


async def read(cache: Cache, source: Source, key: str = "k") -> tuple[str, Outcome]:
    found, outcome = await cache.get_or_load(POLICY, key, source.load)
    return found.body.decode(), outcome


async def until_hit(cache: Cache, source: Source) -> None:
    async def hit() -> bool:
        value, outcome = await read(cache, source)
        assert value == source.value
        return outcome == HIT

    await eventually(hit)


async def test_processes_of_one_host_share_entries_and_hosts_do_not(
    shared_server: RedisServer, tmp_path: Path
) -> None:
    source = Source()
    async with (
        opened(tmp_path / "a", shared_server.url) as one,
        opened(tmp_path / "a", shared_server.url) as two,
        opened(tmp_path / "b", shared_server.url) as elsewhere,
    ):
        assert [(await read(cache, source))[1] for cache in (one, two, elsewhere)] == [MISS, HIT, MISS]
        assert [(await read(cache, source))[1] for cache in (one, two, elsewhere)] == [HIT, HIT, HIT]


async def test_strict_hosts_see_an_invalidation_at_once(shared_server: RedisServer, tmp_path: Path) -> None:
    source = Source()
    async with (
        opened(tmp_path / "a", shared_server.url) as here,
        opened(tmp_path / "b", shared_server.url, cache_strict=True) as there,
    ):
        for number in range(20):
            await read(there, source)
            assert await read(there, source) == (source.value, HIT)
            source.value = str(number)
            await here.invalidate("thing:k")
            assert await read(there, source) == (str(number), MISS)


async def test_without_redis_reads_go_on_and_cost_little(server: RedisServer, tmp_path: Path) -> None:
    server.kill()
    source = Source()
    async with opened(tmp_path, server.url) as cache:
        started = time.perf_counter()
        for _ in range(100):
            assert await read(cache, source) == ("1", BYPASS)
            await cache.invalidate("things")
        assert time.perf_counter() - started < 0.5
        with pytest.raises(CacheUnavailable):
            await cache.ping()
        server.start()
        await until_hit(cache, source)
        assert await cache.ping() < 1


async def test_whether_redis_can_be_asked_is_known_without_asking(
    server: RedisServer, tmp_path: Path
) -> None:
    async with opened(tmp_path, server.url) as cache:
        assert cache.redis_available
        server.kill()
        await read(cache, Source())
        assert not cache.redis_available


async def test_a_hanging_redis_costs_its_time_limit_once(server: RedisServer, tmp_path: Path) -> None:
    source = Source()
    async with opened(tmp_path, server.url, redis_timeout_s=0.2, cache_strict=True) as cache:
        await until_hit(cache, source)
        server.stop()
        errors = figure("handover_cache_errors_total", operation="read")
        started = time.perf_counter()
        assert await read(cache, source) == ("1", BYPASS)
        assert 0.15 < time.perf_counter() - started < 0.6
        started = time.perf_counter()
        for _ in range(50):
            assert await read(cache, source) == ("1", BYPASS)
            await cache.invalidate("thing:other")
        assert time.perf_counter() - started < 0.3
        assert figure("handover_cache_errors_total", operation="read") == errors + 1
        server.resume()
        await until_hit(cache, source)


async def test_a_write_while_redis_hangs_is_seen_by_the_host_at_once_and_by_others_when_it_is_back(
    server: RedisServer, tmp_path: Path
) -> None:
    source = Source("old")
    async with (
        opened(tmp_path / "a", server.url, redis_timeout_s=0.1) as writer,
        opened(tmp_path / "a", server.url) as neighbour,
        opened(tmp_path / "b", server.url) as elsewhere,
    ):
        for cache in (writer, neighbour, elsewhere):
            await until_hit(cache, source)
        server.stop()
        source.value = "new"
        await writer.invalidate("things")
        server.resume()
        assert (await read(neighbour, source))[0] == "new"
        assert (await read(writer, source))[0] == "new"

        async def arrived() -> bool:
            return (await read(elsewhere, source))[0] == "new"

        await eventually(arrived)


async def test_a_snapshot_from_before_the_write_brings_nothing_back(
    server: RedisServer, tmp_path: Path
) -> None:
    source = Source("old")
    async with (
        opened(tmp_path / "a", server.url) as writer,
        opened(tmp_path / "b", server.url) as elsewhere,
    ):
        await until_hit(writer, source)
        await until_hit(elsewhere, source)
        with server.client() as client:
            client.save()
            size = client.dbsize()
        source.value = "new"
        await writer.invalidate("things")
        server.restart()
        with server.client() as client:
            assert client.dbsize() == size > 0
        for cache in (writer, elsewhere):
            assert (await read(cache, source))[0] == "new"
            await until_hit(cache, source)


@pytest.mark.parametrize("fault", ["flush", "forget-stamps", "forget-entries", "garbage", "wrong-type"])
async def test_whatever_redis_forgets_or_holds_instead_is_a_miss(
    server: RedisServer, tmp_path: Path, fault: str
) -> None:
    source = Source("old")
    async with (
        opened(tmp_path / "a", server.url) as writer,
        opened(tmp_path / "b", server.url, cache_strict=True) as reader,
    ):
        await until_hit(reader, source)
        with server.client() as client:
            names = [name for name in client.scan_iter() if fault != "forget-entries" or b":entry:" in name]
            if fault == "forget-stamps":
                names = [name for name in names if b":stamp:" in name]
            assert names
            if fault == "flush":
                client.flushall()
            else:
                client.delete(*names)
            for name in names:
                if fault == "garbage":
                    client.set(name, os.urandom(random.randrange(100)))
                elif fault == "wrong-type":
                    client.rpush(name, b"x")
        source.value = "new"
        assert await read(reader, source) == ("new", MISS)
        await until_hit(reader, source)
        source.value = "newer"
        await writer.invalidate("things")
        assert await read(reader, source) == ("newer", MISS)


async def test_an_evicted_stamp_does_not_make_an_old_entry_valid_again(
    server: RedisServer, tmp_path: Path
) -> None:
    source, begun, go_on = Source("old"), asyncio.Event(), asyncio.Event()

    async def slow() -> Entry:
        old = await source.load()
        begun.set()
        await go_on.wait()
        return old

    async with opened(tmp_path / "a", server.url) as writer, opened(tmp_path / "b", server.url) as reader:
        early = asyncio.create_task(reader.get_or_load(POLICY, "k", slow))
        await begun.wait()
        source.value = "new"
        await writer.invalidate("things")
        with server.client() as client:
            client.delete(*client.scan_iter(match="*:stamp:*"))
        go_on.set()
        await early
        assert await read(reader, source) == ("new", MISS)


async def test_readers_that_give_up_never_leave_a_foreign_reply_behind(
    shared_server: RedisServer, tmp_path: Path
) -> None:
    choose = random.Random(7)
    sources = {str(number): Source(str(number)) for number in range(20)}
    async with opened(tmp_path, shared_server.url) as cache:
        for _ in range(60):
            tasks = {key: asyncio.create_task(read(cache, source, key)) for key, source in sources.items()}
            await asyncio.sleep(choose.random() * 0.002)
            for task in choose.sample(list(tasks.values()), 8):
                task.cancel()
            for key, task in tasks.items():
                answer = (await asyncio.gather(task, return_exceptions=True))[0]
                assert isinstance(answer, asyncio.CancelledError) or answer[0] == key  # type: ignore[index]
        assert (await read(cache, sources["3"], "3"))[1] == HIT


async def test_entries_expire_in_redis_within_the_spread(shared_server: RedisServer, tmp_path: Path) -> None:
    with shared_server.client() as client:
        client.flushall()
        async with opened(tmp_path, shared_server.url) as cache:
            for number in range(30):
                await read(cache, Source(), str(number))
        left = [client.pttl(name) for name in client.scan_iter(match="*:entry:*")]
        assert len(left) == 30
        assert 53_000 < min(left) < max(left) <= 66_000
        assert len(set(left)) > 10
        assert all(client.ttl(name) > 3000 for name in client.scan_iter(match="*:stamp:*"))


async def test_an_entry_that_is_too_large_is_not_kept(shared_server: RedisServer, tmp_path: Path) -> None:
    async with opened(tmp_path, shared_server.url, cache_max_bytes=4000) as cache:
        for size, outcome in ((200, HIT), (1000, MISS)):
            source = Source("x" * size)
            await read(cache, source, str(size))
            assert (await read(cache, source, str(size)))[1] == outcome


async def test_two_hundred_readers_at_once_are_no_overload(
    shared_server: RedisServer, tmp_path: Path
) -> None:
    async with opened(tmp_path, shared_server.url, redis_timeout_s=2) as cache:
        answers = await asyncio.gather(*(read(cache, Source(str(n)), str(n)) for n in range(200)))
        assert [value for value, _ in answers] == [str(number) for number in range(200)]
        answers = await asyncio.gather(*(read(cache, Source("?"), str(n)) for n in range(200)))
        assert answers == [(str(number), HIT) for number in range(200)]


async def test_the_client_of_the_rate_limit_has_every_limit_set(
    shared_server: RedisServer, tmp_path: Path
) -> None:
    async with opened(tmp_path, shared_server.url) as cache:
        client = cache.redis
        assert client is not None
        assert await client.ping() is True
        settings = client.connection_pool.connection_kwargs
        assert settings["socket_timeout"] == settings["socket_connect_timeout"] == 0.25
        assert settings["retry"].get_retries() == 0
    async with opened(tmp_path) as cache:
        assert cache.redis is None
        assert not cache.redis_available


async def test_a_wrong_kind_of_server_is_bypassed(tmp_path: Path) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    listener = await asyncio.start_unix_server(answer, tmp_path / "http.sock")
    async with opened(tmp_path, f"unix://{tmp_path / 'http.sock'}") as cache:
        assert await read(cache, Source()) == ("1", BYPASS)
    listener.close()
