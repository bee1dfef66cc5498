"""What a slice sees: outcomes, tags, single flight, failures, keys. Each test runs in memory and on Redis."""

import asyncio
from pathlib import Path

import pytest

from core.cache import Cache, Entry, Outcome, Policy, cache_key
from core.errors import Conflict, Unavailable
from tests.cache.support import Source, entry, eventually, figure, opened

LIST = Policy("test.list", 60, ("things", "things.list"))
ONE = Policy("test.one", 60, ("things", "thing:{key}"))


async def test_a_second_read_is_a_hit_with_the_same_bytes(cache: Cache) -> None:
    answer = Entry(b"\x00\xff body", 'W/"\N{SNOWMAN}"')

    async def load() -> Entry:
        return answer

    assert await cache.get_or_load(LIST, "k", load) == (answer, Outcome.MISS)
    assert await cache.get_or_load(LIST, "k", load) == (answer, Outcome.HIT)


async def test_empty_bodies_are_entries_too(cache: Cache) -> None:
    source = Source("")
    await cache.get_or_load(LIST, "k", source.load)
    assert await cache.get_or_load(LIST, "k", source.load) == (entry(""), Outcome.HIT)


async def test_invalidating_a_tag_leaves_its_entries_behind_and_no_others(cache: Cache) -> None:
    first, second, listed = Source("first"), Source("second"), Source("list")

    async def outcomes() -> list[Outcome]:
        return [
            (await cache.get_or_load(policy, key, source.load))[1]
            for policy, key, source in ((ONE, "1", first), (ONE, "2", second), (LIST, "", listed))
        ]

    hit, miss = Outcome.HIT, Outcome.MISS
    assert await outcomes() == [miss, miss, miss]
    assert await outcomes() == [hit, hit, hit]
    await cache.invalidate("thing:1")
    assert await outcomes() == [miss, hit, hit]
    await cache.invalidate("things.list", "thing:2")
    assert await outcomes() == [hit, miss, miss]
    await cache.invalidate("things")
    assert await outcomes() == [miss, miss, miss]


async def test_what_was_loaded_across_an_invalidation_is_not_kept(cache: Cache) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow() -> Entry:
        begun.set()
        await go_on.wait()
        return entry("old")

    reader = asyncio.create_task(cache.get_or_load(LIST, "k", slow))
    await begun.wait()
    await cache.invalidate("things")
    go_on.set()
    await reader
    assert await cache.get_or_load(LIST, "k", Source("new").load) == (entry("new"), Outcome.MISS)


async def test_a_reader_after_a_write_does_not_join_a_load_from_before_it(cache: Cache) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow() -> Entry:
        begun.set()
        await go_on.wait()
        return entry("old")

    early = asyncio.create_task(cache.get_or_load(LIST, "k", slow))
    await begun.wait()
    await cache.invalidate("things")
    assert (await cache.get_or_load(LIST, "k", Source("new").load))[0] == entry("new")
    go_on.set()
    assert (await early)[0] == entry("old")


async def test_readers_at_the_same_time_share_one_load(cache: Cache) -> None:
    await cache.get_or_load(LIST, "warm", Source().load)
    source, go_on = Source("shared"), asyncio.Event()
    joined = figure("handover_cache_joined_total", policy=LIST.name)
    missed = figure("handover_cache_requests_total", policy=LIST.name, outcome="miss")

    async def slow() -> Entry:
        await go_on.wait()
        return await source.load()

    readers = [asyncio.create_task(cache.get_or_load(LIST, "k", slow)) for _ in range(50)]

    async def all_wait() -> bool:
        return figure("handover_cache_requests_total", policy=LIST.name, outcome="miss") == missed + 50

    await eventually(all_wait)
    go_on.set()
    answers = await asyncio.gather(*readers)
    assert {answer for answer, _ in answers} == {entry("shared")}
    assert source.loads == 1
    assert figure("handover_cache_joined_total", policy=LIST.name) == joined + 49


async def test_a_failing_load_fails_for_all_who_wait_and_is_forgotten(cache: Cache) -> None:
    await cache.get_or_load(LIST, "warm", Source().load)

    async def failing() -> Entry:
        await asyncio.sleep(0.02)
        raise Conflict("no")

    answers = await asyncio.gather(
        *(cache.get_or_load(LIST, "k", failing) for _ in range(3)), return_exceptions=True
    )
    assert [type(answer) for answer in answers] == [Conflict] * 3
    assert (await cache.get_or_load(LIST, "k", Source("new").load))[0] == entry("new")


async def test_a_reader_that_goes_away_does_not_take_the_load_along(cache: Cache) -> None:
    await cache.get_or_load(LIST, "warm", Source().load)
    source, begun, go_on = Source("kept"), asyncio.Event(), asyncio.Event()

    async def slow() -> Entry:
        begun.set()
        await go_on.wait()
        return await source.load()

    first = asyncio.create_task(cache.get_or_load(LIST, "k", slow))
    await begun.wait()
    second = asyncio.create_task(cache.get_or_load(LIST, "k", slow))
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    go_on.set()
    assert (await second)[0] == entry("kept")
    assert source.loads == 1


async def test_a_load_that_is_cancelled_from_within_sends_the_others_to_load(cache: Cache) -> None:
    await cache.get_or_load(LIST, "warm", Source().load)
    source, begun, go_on = Source("own"), asyncio.Event(), asyncio.Event()

    async def load() -> Entry:
        if not begun.is_set():
            begun.set()
            await go_on.wait()
            raise asyncio.CancelledError
        return await source.load()

    first = asyncio.create_task(cache.get_or_load(LIST, "k", load))
    await begun.wait()
    second = asyncio.create_task(cache.get_or_load(LIST, "k", load))
    go_on.set()
    assert (await first)[0] == (await second)[0] == entry("own")


async def test_closing_ends_a_load_that_hangs(tmp_path: Path) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def hanging() -> Entry:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return entry("never")

    async with opened(tmp_path) as cache:
        reader = asyncio.create_task(cache.get_or_load(LIST, "k", hanging))
        await begun.wait()
        reader.cancel()
    assert ended.is_set()


@pytest.mark.parametrize(
    "key",
    [
        "",
        "\0",
        "a\r\nFLUSHALL\r\n",
        "\ud800",
        "{key}",
        "x" * 1_000_000,
        "thing:2",
        "../../etc",
        "é",
        "e\u0301",
    ],
    ids=ascii,
)
async def test_hostile_keys_are_just_keys(cache: Cache, key: str) -> None:
    source, other = Source("mine"), Source("other")
    await cache.get_or_load(ONE, "2", other.load)
    await cache.get_or_load(ONE, key, source.load)
    assert await cache.get_or_load(ONE, key, source.load) == (entry("mine"), Outcome.HIT)
    await cache.invalidate(f"thing:{key}")
    assert (await cache.get_or_load(ONE, key, source.load))[1] == Outcome.MISS
    assert await cache.get_or_load(ONE, "2", other.load) == (entry("other"), Outcome.HIT)


async def test_policies_with_alike_names_do_not_meet(cache: Cache) -> None:
    policies = [
        (Policy("a", 60), "b.c"),
        (Policy("a.b", 60), "c"),
        (Policy("a.b.c", 60), ""),
        (Policy('a",1]', 60), ""),
    ]
    for number, (policy, key) in enumerate(policies):
        await cache.get_or_load(policy, key, Source(str(number)).load)
    for number, (policy, key) in enumerate(policies):
        assert await cache.get_or_load(policy, key, Source("?").load) == (entry(str(number)), Outcome.HIT)


async def test_the_hit_ratio_can_be_read_from_the_figures(cache: Cache) -> None:
    policy = Policy("test.ratio", 60, ("ratio:{key}",))
    before = {
        name: figure("handover_cache_requests_total", policy=policy.name, outcome=name)
        for name in ("hit", "miss", "bypass")
    }
    bumped = figure("handover_cache_invalidations_total", tag="ratio")
    for _ in range(4):
        await cache.get_or_load(policy, "1", Source().load)
    await cache.invalidate("ratio:1", "ratio:2", "ratio:1")
    await cache.get_or_load(policy, "1", Source().load)
    after = {
        name: figure("handover_cache_requests_total", policy=policy.name, outcome=name) for name in before
    }
    assert {name: after[name] - before[name] for name in before} == {"hit": 3, "miss": 2, "bypass": 0}
    assert figure("handover_cache_invalidations_total", tag="ratio") == bumped + 2


async def test_an_uncertain_write_invalidates_and_a_refused_one_does_not(cache: Cache) -> None:
    source = Source()

    async def outcome() -> Outcome:
        return (await cache.get_or_load(LIST, "k", source.load))[1]

    await outcome()
    with pytest.raises(Conflict):
        async with cache.invalidating("things"):
            raise Conflict("refused")
    assert await outcome() == Outcome.HIT
    for error in (Unavailable("the confirmation got lost"), asyncio.CancelledError(), KeyError("bug")):
        with pytest.raises(type(error)):
            async with cache.invalidating("things"):
                raise error
        assert await outcome() == Outcome.MISS
    async with cache.invalidating("things"):
        pass
    assert await outcome() == Outcome.MISS


async def test_a_ping_answers_in_seconds(cache: Cache) -> None:
    await cache.ping()


async def test_without_room_nothing_is_cached(tmp_path: Path) -> None:
    async with opened(tmp_path, cache_max_bytes=0) as cache:
        for _ in range(2):
            assert (await cache.get_or_load(LIST, "k", Source().load))[1] == Outcome.BYPASS


async def test_use_after_close_is_a_clear_mistake(tmp_path: Path) -> None:
    async with opened(tmp_path) as cache:
        pass
    with pytest.raises(AttributeError, match="versions"):
        await cache.get_or_load(LIST, "k", Source().load)


def test_a_key_is_made_of_its_inputs_whatever_their_order() -> None:
    assert cache_key(limit=1, tags=("a", "b")) == cache_key(tags=["a", "b"], limit=1)
    different = [
        {"a": 1},
        {"a": "1"},
        {"a": True},
        {"a": None},
        {},
        {"a": ["1"]},
        {"a": "1", "b": "2"},
        {"a": "\ud800"},
    ]
    assert len({cache_key(**inputs) for inputs in different}) == len(different)  # type: ignore[arg-type]


@pytest.mark.parametrize(("name", "ttl_s"), [("", 60.0), ("a", 0.0), ("a", -1.0)])
def test_a_policy_that_makes_no_sense_is_refused(name: str, ttl_s: float) -> None:
    with pytest.raises(ValueError, match="cache policy"):
        Policy(name, ttl_s)
