"""Redis going away, hanging, restarting, forgetting and remembering: slower, never wrong, never an error."""

import asyncio
import os
import random
import time
from pathlib import Path

import pytest

from core.cache import Cache, CacheUnavailable, Outcome, Policy
from core.cache.redis import FORMAT
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


async def test_without_redis_reads_go_on_and_cost_little(server: RedisServer, tmp_path: Path) -> None:
    server.kill()
    source = Source()
    async with opened(tmp_path, server.url) as cache:
        started = time.perf_counter()
        for _ in range(100):
            assert await read(cache, source) == ("1", BYPASS)
            await cache.invalidate("things")
        assert time.perf_counter() - started < 2, "some have waited for it"
        with pytest.raises(CacheUnavailable):
            await cache.ping()
        server.start()
        await until_hit(cache, source)
        await cache.ping()


async def test_whether_redis_can_be_asked_is_known_without_asking(
    server: RedisServer, tmp_path: Path
) -> None:
    async with opened(tmp_path, server.url) as cache:
        assert cache.redis_available
        server.kill()
        await read(cache, Source())
        assert not cache.redis_available


@pytest.mark.slow
async def test_a_hanging_redis_costs_its_time_limit_once(server: RedisServer, tmp_path: Path) -> None:
    source = Source()
    async with opened(tmp_path, server.url, redis_timeout_s=1) as cache:
        await until_hit(cache, source)
        server.stop()
        errors = figure("handover_cache_errors_total", operation="read")
        assert await read(cache, source, "new") == ("1", BYPASS)
        for number in range(50):
            assert await read(cache, source, str(number)) == ("1", BYPASS)
            await cache.invalidate("thing:other")
        assert figure("handover_cache_errors_total", operation="read") == errors + 1, "others waited too"
        server.resume()

        async def asked_again() -> bool:
            await cache.invalidate("things")
            return (await read(cache, source))[1] == MISS

        await eventually(asked_again)


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["fill", "demote"])
async def test_a_redis_that_takes_nothing_is_read_and_reported(
    server: RedisServer, tmp_path: Path, fault: str
) -> None:
    source = Source("old")
    async with opened(tmp_path, server.url) as one, opened(tmp_path, server.url) as two:
        await read(one, source)
        getattr(server, fault)()
        assert (await read(two, source))[1] == HIT
        with pytest.raises(CacheUnavailable, match="cannot be written"):
            await one.ping()
        errors = figure("handover_cache_errors_total", operation="write")
        source.value = "new"
        await one.invalidate("things")
        for cache in (two, one):
            for number in range(20):
                assert (await read(cache, source, str(number)))[0] == "new"
        assert one.redis_available
        assert figure("handover_cache_errors_total", operation="write") - errors <= 2
        server.recover()

        async def shared() -> bool:
            await one.invalidate("things")
            await read(one, source)
            found = figure("handover_cache_hits_total", tier="redis")
            await read(two, source)
            return figure("handover_cache_hits_total", tier="redis") > found

        await eventually(shared)
        await one.ping()


async def test_a_write_while_redis_hangs_is_seen_by_the_host_at_once(
    server: RedisServer, tmp_path: Path
) -> None:
    source = Source("old")
    async with (
        opened(tmp_path, server.url, redis_timeout_s=0.1) as writer,
        opened(tmp_path, server.url) as neighbour,
    ):
        for cache in (writer, neighbour):
            await until_hit(cache, source)
        server.stop()
        source.value = "new"
        await writer.invalidate("things")
        server.resume()
        assert (await read(neighbour, source))[0] == "new"
        assert (await read(writer, source))[0] == "new"


async def test_a_snapshot_from_before_the_write_brings_nothing_back(
    server: RedisServer, tmp_path: Path
) -> None:
    source = Source("old")
    async with opened(tmp_path, server.url) as one, opened(tmp_path, server.url) as two:
        await read(one, source)
        with server.client() as client:
            client.save()
            size = client.dbsize()
        source.value = "new"
        await one.invalidate("things")
        server.restart()
        with server.client() as client:
            assert client.dbsize() == size > 0
        for cache in (two, one):
            assert (await read(cache, source))[0] == "new"
            await until_hit(cache, source)


@pytest.mark.parametrize("fault", ["flush", "garbage", "ours", "wrong-type"])
async def test_whatever_redis_forgets_or_holds_instead_is_a_miss(
    server: RedisServer, tmp_path: Path, fault: str
) -> None:
    source = Source("old")
    async with opened(tmp_path, server.url) as one, opened(tmp_path, server.url) as two:
        await read(one, source)
        with server.client() as client:
            names = list(client.scan_iter())
            assert names
            client.flushall()
            for name in names:
                if fault == "garbage":
                    client.set(name, os.urandom(random.randrange(100)))
                elif fault == "ours":  # of our form, with a length that it has not
                    client.set(name, FORMAT + os.urandom(40))
                elif fault == "wrong-type":
                    client.rpush(name, b"x")
        source.value = "new"
        found, outcome = await read(two, source)
        assert (found, outcome) == ("new", BYPASS if fault == "wrong-type" else MISS)
        await until_hit(two, source)


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
        left = [client.pttl(name) for name in client.scan_iter(match="handover:entry:*:*")]
        assert len(left) == 30
        assert 53_000 < min(left) < max(left) <= 66_000
        assert len(set(left)) > 10


async def test_an_entry_that_is_too_large_is_not_kept(shared_server: RedisServer, tmp_path: Path) -> None:
    async with opened(tmp_path, shared_server.url, cache_max_bytes=4000) as cache:
        for size, outcome in ((200, HIT), (1001, MISS)):
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
