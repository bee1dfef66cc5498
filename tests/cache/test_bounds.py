"""Memory stays bounded, entries expire, the breaker rests, versions survive what happens to their file."""

import stat
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from core.cache import Entry, Outcome, Policy
from core.cache.memory import OVERHEAD_BYTES, Kept, MemoryTier
from core.cache.policy import tag_digest
from core.cache.redis import Breaker
from core.cache.versions import FILE_BYTES, SLOTS, TagVersions, slot_of
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
    tier.keep(key.encode(), Kept(Entry(b"x" * size, ""), "test", b"s", 1, 1))


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


async def test_times_to_live_are_spread_by_a_tenth(tmp_path: Path) -> None:
    async with opened(tmp_path, cache_ttl_s=20) as cache:
        for policy, least, most in ((POLICY, 54, 66), (Policy("test.default"), 18, 22)):
            at_least, at_most = [], []
            for number in range(200):
                began = time.monotonic()
                await cache.get_or_load(policy, str(number), Source().load)
                stored = cache._memory.get(policy.address(str(number)).digest)
                assert stored is not None
                at_most.append(stored.expires_at - began)
                at_least.append(stored.expires_at - time.monotonic())
            quarter = (most - least) / 4
            assert least <= min(at_most)
            assert min(at_least) < least + quarter
            assert max(at_most) > most - quarter
            assert max(at_least) <= most


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


def test_processes_that_map_the_same_file_see_each_others_versions(tmp_path: Path) -> None:
    path = tmp_path / "run" / "versions"
    first, second = TagVersions(path), TagVersions(path)
    noted = first.read([slot_of(TAG)])
    assert second.read([slot_of(TAG)]) == noted
    second.renew([TAG])
    assert first.read([slot_of(TAG)]) == second.read([slot_of(TAG)]) != noted
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.stat().st_size == FILE_BYTES
    first.close()
    second.close()


def test_opening_the_file_leaves_everything_behind(tmp_path: Path) -> None:
    path = tmp_path / "versions"
    first = TagVersions(path)
    noted = first.read(())
    second = TagVersions(path)
    assert first.read(()) == second.read(()) != noted
    first.close()
    second.close()


def test_tags_on_one_slot_are_renewed_together(tmp_path: Path) -> None:
    versions = TagVersions(tmp_path / "versions")
    one, other, apart = (number.to_bytes(4, "big") for number in (7, 7 + SLOTS, 8))
    before = versions.read([slot_of(one)]), versions.read([slot_of(other)]), versions.read([slot_of(apart)])
    versions.renew([one])
    after = versions.read([slot_of(one)]), versions.read([slot_of(other)]), versions.read([slot_of(apart)])
    assert [new != old for new, old in zip(after, before, strict=True)] == [True, True, False]
    versions.close()


async def test_a_deleted_file_is_noticed_by_readers_and_writers(tmp_path: Path) -> None:
    path = tmp_path / "run" / "cache.versions"
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
