"""Memory stays bounded, entries expire, the breaker rests, the stamps survive what happens to their file."""

import asyncio
import stat
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from core.cache import Entry, Outcome, Policy
from core.cache.breaker import Breaker
from core.cache.delivery import MAX_WAITING, Delivery
from core.cache.filling import Filling, Read
from core.cache.memory import OVERHEAD_BYTES, Kept, MemoryTier, Noted
from core.cache.policy import tag_digest
from core.cache.redis import UnreachableError
from core.cache.stamps import FILE_BYTES, SLOTS, Stamps, slot_of
from tests.cache.support import Source, entry, eventually, figure, opened

POLICY = Policy("test.bounds", 60, ("things", "thing:{key}"))
TAG = tag_digest("things")


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def kept(tier: MemoryTier, keys: Sequence[str]) -> list[str]:
    return [key for key in keys if tier.get(key.encode())]


def keep(tier: MemoryTier, key: str, size: int = 10) -> None:
    tier.keep(key.encode(), Kept(Entry(b"x" * size, ""), "test", Noted(b"s", 0), 1, 1))


def test_the_least_recently_used_entry_makes_room() -> None:
    tier, evicted = MemoryTier(3, 1_000_000), figure("handover_cache_evictions_total")
    for key in "abc":
        keep(tier, key)
    kept(tier, ["a"])
    keep(tier, "d")
    assert kept(tier, "abcd") == ["a", "c", "d"]
    assert figure("handover_cache_evictions_total") == evicted + 1
    tier.clear()


def test_bytes_are_bounded_and_counted() -> None:
    entries, used = figure("handover_cache_entries"), figure("handover_cache_bytes")
    limit = 10 * (100 + OVERHEAD_BYTES)
    tier = MemoryTier(1000, limit)
    for number in range(50):
        keep(tier, str(number), 100)
        assert figure("handover_cache_bytes") <= limit
    assert kept(tier, [str(number) for number in range(50)]) == [str(n) for n in range(40, 50)]
    keep(tier, "49", 200)  # replaced, not counted twice
    assert len(kept(tier, [str(number) for number in range(50)])) == 9
    assert figure("handover_cache_bytes") == 8 * (100 + OVERHEAD_BYTES) + 200 + OVERHEAD_BYTES
    keep(tier, "huge", limit // 4)
    assert kept(tier, ["huge", "49"]) == ["49"]
    tier.clear()
    assert (figure("handover_cache_entries"), figure("handover_cache_bytes")) == (entries, used) == (0, 0)


async def test_an_entry_expires_within_the_spread(tmp_path: Path) -> None:
    quick = Policy("test.quick", 0.2, ("things",))
    async with opened(tmp_path) as cache:
        source = Source()
        began = time.monotonic()
        await cache.get_or_load(quick, "k", source.load)

        async def missed() -> bool:
            return (await cache.get_or_load(quick, "k", source.load))[1] is Outcome.MISS

        await eventually(missed)
        assert 0.18 <= time.monotonic() - began < 2
        assert source.loads == 2


class Recorder:
    """Redis as the delivery sees it: notes what it is asked."""

    def __init__(self) -> None:
        self.renewed: list[tuple[bytes, ...]] = []
        self.reachable = True
        self.hold: asyncio.Event | None = None
        self.asked = asyncio.Event()

    async def __call__(self, tags: Sequence[bytes], *, insist: bool) -> None:
        self.asked.set()
        if self.hold is not None:
            await self.hold.wait()
        elif not self.reachable:
            raise UnreachableError
        self.renewed.append(tuple(tags))


async def test_times_to_live_are_spread_by_a_tenth() -> None:
    memory = MemoryTier(10_000, 100_000_000)
    address, noted = POLICY.address("k"), Noted(b"s", 0)
    filling = Filling(memory, None, 20, lambda _: noted)
    lives: dict[Policy, list[float]] = {POLICY: [], Policy("test.default"): []}
    for policy, found in lives.items():
        for _ in range(200):
            began = time.monotonic()
            await filling.load(Read(policy, address, noted, Source().load), None)
            stored = memory.get(address.digest)
            assert stored is not None
            found.append(stored.expires_at - began)
    assert 54 <= min(lives[POLICY]) < 56 < 64 < max(lives[POLICY]) < 66.5
    default = lives[Policy("test.default")]
    assert 18 <= min(default) < max(default) < 22.5
    memory.clear()


async def test_an_invalidation_that_cannot_be_delivered_waits_and_is_sent_later() -> None:
    tier = Recorder()
    delivery = Delivery(tier, retry_s=0.01)
    await delivery.send([b"a", b"b"])
    assert tier.renewed == [(b"a", b"b")]
    tier.reachable = False
    await delivery.send([b"a"])
    await delivery.send([b"c"])
    assert figure("handover_cache_undelivered_invalidations") == 2
    tier.reachable = True

    async def delivered() -> bool:
        return tier.renewed[1:] == [(b"a", b"c")]

    await eventually(delivered)
    await delivery.close()
    assert figure("handover_cache_undelivered_invalidations") == 0
    assert len(tier.renewed) == 2


async def test_a_tag_that_is_asked_for_again_during_its_delivery_is_sent_again() -> None:
    tier = Recorder()
    delivery = Delivery(tier, retry_s=0.01)
    tier.hold = go_on = asyncio.Event()
    first = asyncio.create_task(delivery.send([b"a"]))
    await tier.asked.wait()
    tier.hold = None
    tier.reachable = False
    await delivery.send([b"a"])
    tier.reachable = True
    go_on.set()
    await first

    async def twice() -> bool:
        return tier.renewed == [(b"a",), (b"a",)]

    await eventually(twice)
    await delivery.close()


async def test_a_cancelled_writer_leaves_its_tags_to_be_delivered() -> None:
    tier = Recorder()
    delivery = Delivery(tier, retry_s=0.01)
    tier.hold = asyncio.Event()
    writer = asyncio.create_task(delivery.send([b"a"]))
    await tier.asked.wait()
    tier.hold = None
    writer.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writer

    async def delivered() -> bool:
        return tier.renewed == [(b"a",)]

    await eventually(delivered)
    await delivery.close()


async def test_what_waits_for_delivery_is_bounded_and_tried_once_more_at_the_end() -> None:
    tier = Recorder()
    tier.reachable = False
    delivery = Delivery(tier, retry_s=60)
    for number in range(MAX_WAITING + 5):
        await delivery.send([number.to_bytes(4, "big")])
    assert figure("handover_cache_undelivered_invalidations") == MAX_WAITING
    tier.reachable = True
    await delivery.close()
    assert [len(tags) for tags in tier.renewed] == [MAX_WAITING]
    assert tier.renewed[0][0] == (5).to_bytes(4, "big")


def test_the_breaker_rests_and_then_lets_one_ask() -> None:
    clock = Clock()
    breaker = Breaker(1.0, clock)
    assert breaker.admits()
    assert breaker.failed()
    assert not breaker.failed()
    assert not breaker.admits()
    clock.now += 1.01
    assert [breaker.admits() for _ in range(3)] == [True, False, False]
    clock.now += 1.01  # the one that asked never reported
    assert breaker.admits()
    assert breaker.succeeded()
    assert not breaker.succeeded()
    assert breaker.closed
    assert [breaker.admits() for _ in range(3)] == [True, True, True]


def test_processes_that_map_the_same_file_see_each_others_stamps(tmp_path: Path) -> None:
    path = tmp_path / "run" / "stamps"
    first, second = Stamps(path), Stamps(path)
    noted = first.read([slot_of(TAG)])
    assert second.read([slot_of(TAG)]) == noted
    second.renew([TAG])
    assert first.read([slot_of(TAG)]) == second.read([slot_of(TAG)]) != noted
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.stat().st_size == FILE_BYTES
    first.close()
    second.close()


def test_opening_the_file_leaves_everything_behind(tmp_path: Path) -> None:
    path = tmp_path / "stamps"
    first = Stamps(path)
    noted = first.read(())
    second = Stamps(path)
    assert first.read(()) == second.read(()) != noted
    first.close()
    second.close()


def test_tags_on_one_slot_are_renewed_together(tmp_path: Path) -> None:
    stamps = Stamps(tmp_path / "stamps")
    one, other, apart = (number.to_bytes(4, "big") for number in (7, 7 + SLOTS, 8))
    before = stamps.read([slot_of(one)]), stamps.read([slot_of(other)]), stamps.read([slot_of(apart)])
    stamps.renew([one])
    after = stamps.read([slot_of(one)]), stamps.read([slot_of(other)]), stamps.read([slot_of(apart)])
    assert [new != old for new, old in zip(after, before, strict=True)] == [True, True, False]
    stamps.close()


async def test_a_deleted_file_is_noticed_by_readers_and_writers(tmp_path: Path) -> None:
    path = tmp_path / "run" / "cache.stamps"
    source = Source("old")
    async with opened(tmp_path) as reader, opened(tmp_path) as writer:
        await reader.get_or_load(POLICY, "1", source.load)
        path.unlink()
        async with opened(tmp_path) as newcomer:
            source.value = "new"
            await newcomer.invalidate("things")
            assert await reader.get_or_load(POLICY, "1", source.load) == (entry("new"), Outcome.MISS)
            assert await reader.get_or_load(POLICY, "1", source.load) == (entry("new"), Outcome.HIT)
            source.value = "newer"
            await writer.invalidate("things")
            assert (await reader.get_or_load(POLICY, "1", source.load))[0] == entry("newer")


async def test_a_folder_that_cannot_be_written_is_an_error_at_start(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("not a folder")
    with pytest.raises(OSError, match="run"):
        async with opened(tmp_path):
            pass
