"""The rate limit: per client, shared through Redis, and still there without it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, cast

import httpx
import pytest
import pytest_asyncio

from core.http.request.rate_limit import RateLimiter, Verdict
from tests.fixtures.waiting import wait_for
from tests.http.probe import probe_client

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from tests.fixtures.application import RunningApp

PROBES = ("/health/live", "/metrics")


@pytest_asyncio.fixture(loop_scope="session")
async def limited() -> AsyncIterator[httpx.AsyncClient]:
    async with probe_client(rate_limit_max=3) as client:
        yield client


async def test_headers_count_down_and_the_next_one_is_refused(limited: httpx.AsyncClient) -> None:
    left = []
    for _ in range(3):
        response = await limited.get("/probe/ok")
        assert response.status_code == 200
        assert response.headers["ratelimit-limit"] == "3"
        assert 1 <= int(response.headers["ratelimit-reset"]) <= 60
        left.append(response.headers["ratelimit-remaining"])
    assert left == ["2", "1", "0"]
    refused = await limited.get("/probe/ok")
    assert refused.status_code == 429
    assert refused.json()["message"] == "Too many requests, please try again later"
    assert refused.headers["ratelimit-remaining"] == "0"
    assert 1 <= int(refused.headers["retry-after"]) <= 20


async def test_errors_carry_the_headers_and_count(limited: httpx.AsyncClient) -> None:
    for path in ("/nowhere", "/probe/crash", "/probe/errors/conflict"):
        assert "ratelimit-remaining" in (await limited.get(path)).headers
    assert (await limited.get("/nowhere")).status_code == 429


async def test_probes_are_exempt(limited: httpx.AsyncClient) -> None:
    for _ in range(5):
        for path in PROBES:
            response = await limited.get(path)
            assert response.status_code == 200
            assert "ratelimit-limit" not in response.headers
    assert (await limited.get("/probe/ok")).headers["ratelimit-remaining"] == "2"


async def test_problem_details(limited: httpx.AsyncClient) -> None:
    for _ in range(4):
        response = await limited.get("/probe/ok", headers={"accept": "application/problem+json"})
    assert response.json()["type"] == "urn:handover:problem:http.rate_limited"
    assert response.headers["retry-after"]


async def test_off(probe: httpx.AsyncClient) -> None:
    assert "ratelimit-limit" not in (await probe.get("/probe/ok")).headers


async def test_a_client_cannot_pose_as_others() -> None:
    async with probe_client(rate_limit_max=2) as client:
        answers = [
            (await client.get("/probe/ok", headers={"x-forwarded-for": f"198.51.100.{number}"})).status_code
            for number in range(3)
        ]
    assert answers == [200, 200, 429]


async def test_clients_behind_a_trusted_proxy_are_told_apart() -> None:
    async with probe_client(rate_limit_max=1, trusted_proxies="192.0.2.0/24") as client:
        answers = [
            (
                await client.get("/probe/ok", headers={"x-forwarded-for": f"1.1.1.1, 198.51.100.{number}"})
            ).status_code
            for number in (1, 2, 1)
        ]
    assert answers == [200, 200, 429]


async def test_tokens_come_back() -> None:
    limiter = RateLimiter(1, 0.05)
    assert (await limiter.take("a", None)).allowed
    refused = await limiter.take("a", None)
    assert not refused.allowed

    async def again() -> bool:
        return (await limiter.take("a", None)).allowed

    await wait_for(again)


async def test_memory_is_bounded() -> None:
    limiter = RateLimiter(1, 60)
    for number in range(10_050):
        await limiter.take(f"client {number}", None)
    assert len(limiter._local) == 10_000


async def test_an_ipv6_network_is_one_client() -> None:
    limiter = RateLimiter(1, 60)
    assert (await limiter.take("2001:db8::1", None)).allowed
    assert not (await limiter.take("2001:db8::2", None)).allowed
    assert (await limiter.take("2001:db8:0:1::1", None)).allowed


class TestRedis:
    async def test_processes_share_one_bucket(self, redis: "Redis") -> None:
        first, second = RateLimiter(4, 60), RateLimiter(4, 60)
        verdicts = [
            await limiter.take("192.0.2.9", redis) for limiter in (first, second, first, second, first)
        ]
        assert [verdict.allowed for verdict in verdicts] == [True] * 4 + [False]
        assert [verdict.remaining for verdict in verdicts] == [3, 2, 1, 0, 0]
        assert verdicts[-1].retry_s == 15
        assert verdicts[-1].reset_s == 60

    async def test_concurrent_requests_never_take_more_than_there_is(self, redis: "Redis") -> None:
        limiter = RateLimiter(50, 600)
        verdicts = await asyncio.gather(*(limiter.take("192.0.2.9", redis) for _ in range(120)))
        assert sum(verdict.allowed for verdict in verdicts) == 50

    async def test_requests_that_come_with_the_answer_to_an_earlier_one(
        self, redis: "Redis", monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The first of them uses up the lease before anybody has seen that the answer is there."""
        limiter = RateLimiter(50, 600)
        ask = limiter._ask
        later: list[asyncio.Task[Verdict]] = []

        async def answered(key: str, server: "Redis") -> object:
            refused = await ask(key, server)
            if not later:
                later.extend(asyncio.create_task(limiter.take("192.0.2.9", server)) for _ in range(3))
            return refused

        monkeypatch.setattr(limiter, "_ask", answered)
        assert (await limiter.take("192.0.2.9", redis)).allowed
        assert all(verdict.allowed for verdict in await asyncio.gather(*later))

    async def test_tokens_come_back(self, redis: "Redis") -> None:
        limiter = RateLimiter(2, 0.2)
        while (await limiter.take("192.0.2.9", redis)).allowed:
            pass

        async def again() -> bool:
            return (await limiter.take("192.0.2.9", redis)).allowed

        await wait_for(again)

    async def test_buckets_do_not_stay_for_ever(self, redis: "Redis") -> None:
        await RateLimiter(2, 60).take("192.0.2.9", redis)
        keys = [key async for key in redis.scan_iter("handover:rate:*")]
        assert len(keys) == 1
        assert 0 < await redis.pttl(keys[0]) <= 61_000

    async def test_the_script_survives_a_restart_of_redis(self, redis: "Redis") -> None:
        limiter = RateLimiter(2, 60)
        await limiter.take("192.0.2.9", redis)
        await redis.script_flush()
        assert (await limiter.take("192.0.2.9", redis)).remaining == 0

    async def test_the_app_uses_it(self, running_app: "RunningApp", redis: "Redis") -> None:
        async with running_app(rate_limit_max=2) as client:
            answers = [(await client.get("/")).status_code for _ in range(3)]
        assert answers == [200, 200, 429]
        assert [key async for key in redis.scan_iter("handover:rate:*")]


@pytest.mark.parametrize("url", ["redis://127.0.0.1:1/0", "unix:///nowhere/redis.sock"])
async def test_without_redis_each_process_counts_for_itself(url: str) -> None:
    from redis.asyncio import Redis

    async with Redis.from_url(url, socket_connect_timeout=0.25) as dead:
        limiter = RateLimiter(2, 60)
        answers = [(await limiter.take("192.0.2.9", dead)).allowed for _ in range(3)]
    assert answers == [True, True, False]


class Counted:
    """A Redis whose round trips for tokens are counted."""

    def __init__(self, redis: "Redis") -> None:
        self.redis = redis
        self.asked = 0

    def register_script(self, text: str) -> Callable[..., Awaitable[object]]:
        script = self.redis.register_script(text)

        async def call(keys: list[str], arguments: list[object], client: object = None) -> object:
            self.asked += 1
            return await script(keys, arguments, client=client)  # type: ignore[arg-type]

        return call

    def __getattr__(self, name: str) -> object:
        return getattr(self.redis, name)


class TestLeases:
    async def test_a_busy_client_costs_few_round_trips(self, redis: "Redis") -> None:
        counted = Counted(redis)
        limiter = RateLimiter(10_000, 600)
        verdicts = [await limiter.take("192.0.2.9", cast("Redis", counted)) for _ in range(1000)]
        assert all(verdict.allowed for verdict in verdicts)
        assert [verdict.remaining for verdict in verdicts] == sorted(
            (verdict.remaining for verdict in verdicts), reverse=True
        )
        assert 9_000 <= verdicts[-1].remaining <= 9_020
        assert counted.asked <= 12

    async def test_together_they_never_allow_more_than_the_capacity(self, redis: "Redis") -> None:
        limiters = [RateLimiter(200, 100_000) for _ in range(3)]
        verdicts = await asyncio.gather(
            *(limiters[number % 3].take("192.0.2.9", redis) for number in range(600))
        )
        assert sum(verdict.allowed for verdict in verdicts) <= 200
        for limiter in limiters:
            await limiter.close()
        rest = [await limiters[0].take("192.0.2.9", redis) for _ in range(200)]
        assert sum(verdict.allowed for verdict in (*verdicts, *rest)) == 200

    async def test_near_the_limit_tokens_are_taken_one_by_one(self, redis: "Redis") -> None:
        first, second = RateLimiter(15, 100_000), RateLimiter(15, 100_000)
        left = [
            (await limiter.take("192.0.2.9", redis)).remaining
            for _ in range(7)
            for limiter in (first, second)
        ]
        assert left == list(range(14, 0, -1))

    async def test_a_lease_ends_and_the_rest_comes_back(self, redis: "Redis") -> None:
        limiter, other = RateLimiter(1000, 100_000), RateLimiter(1000, 100_000)
        for _ in range(40):
            await limiter.take("192.0.2.9", redis)
        assert (await other.take("192.0.2.9", redis)).remaining < 959

        async def back() -> bool:
            return (await RateLimiter(1000, 100_000).take("192.0.2.8", redis)).allowed and not limiter._leases

        await wait_for(back)
        await limiter.close()
        assert (await other.take("192.0.2.9", redis)).remaining == 958

    async def test_without_redis_a_lease_is_used_up_and_then_each_counts_alone(self, redis: "Redis") -> None:
        limiter = RateLimiter(1000, 100_000)
        for _ in range(2):
            await limiter.take("192.0.2.9", redis)
        [lease] = limiter._leases.values()
        left = lease.left
        for _ in range(left):
            assert (await limiter.take("192.0.2.9", None)).remaining < 999
        assert (await limiter.take("192.0.2.9", None)).remaining == 999
        await limiter.close()
