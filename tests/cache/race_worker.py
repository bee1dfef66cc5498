"""One process of a race: `python -m tests.cache.race_worker CONFIG`.

Prints `ready`, waits for a line with the monotonic time at which to stop, and prints its figures as JSON.

All processes of a race share a board (a memory-mapped file): for every key the committed version, and for
every version the moment its write was answered (CLOCK_MONOTONIC, which is one clock for the whole machine). A
read that returns version v although v + 1 had been answered before the read began is stale by the time
between the two.
"""

import asyncio
import json
import mmap
import random
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

from core.cache import Cache, Entry, Policy
from tests.cache.support import opened

KEYS = 4
VERSIONS = 20_000
ENOUGH = 20
"""So many writes, hits and misses each process should have had, and on a busy machine it goes on for them."""
PATIENCE_S = 20.0
ROW_WORDS = 1 + VERSIONS
BOARD_BYTES = KEYS * ROW_WORDS * 8
POLICIES = (
    Policy("race.one", 0.5, ("race", "race:{key}")),
    Policy("race.copy", 30, ("race:{key}",)),
)


@dataclass(frozen=True)
class Config:
    """`writes` are the keys that this process writes: one writer per key."""

    data_dir: str
    redis_url: str
    board: str
    writes: list[int]
    seed: int


@dataclass
class Report:
    outcomes: dict[str, int] = field(default_factory=dict)
    writes: int = 0
    peeks: int = 0
    """Reads that memory answered at once."""
    stale_reads: int = 0
    stalest_s: float = 0.0
    errors: list[str] = field(default_factory=list)


class Board:
    """Aligned words in native order, which are written at once; `struct` would write them byte by byte."""

    def __init__(self, path: str) -> None:
        with Path(path).open("r+b") as file:
            words = memoryview(mmap.mmap(file.fileno(), BOARD_BYTES))
        self._versions = words.cast("q")
        self._times = words.cast("d")

    def committed(self, key: int) -> int:
        return self._versions[key * ROW_WORDS]

    def commit(self, key: int, version: int) -> None:
        self._versions[key * ROW_WORDS] = version

    def answered_at(self, key: int, version: int) -> float:
        return self._times[key * ROW_WORDS + version]

    def answer(self, key: int, version: int) -> None:
        self._times[key * ROW_WORDS + version] = time.monotonic()


class Racer:
    def __init__(self, config: Config, cache: Cache, stop_at: float) -> None:
        self._config = config
        self._stop_at = stop_at
        self._cache = cache
        self._board = Board(config.board)
        self._choose = random.Random(config.seed)
        self._outcomes: Counter[str] = Counter()
        self.report = Report()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for key in self._config.writes:
                group.create_task(self._write(key))
            for _ in range(8):
                group.create_task(self._read())
        self.report.outcomes = dict(self._outcomes)

    def _goes_on(self) -> bool:
        late_s = time.monotonic() - self._stop_at
        seen = (self.report.writes, self._outcomes["HIT"], self._outcomes["MISS"])
        return late_s < 0 or (min(seen) <= ENOUGH and late_s < PATIENCE_S)

    async def _pause(self, longest_s: float) -> None:
        """Often nothing at all, sometimes one turn of the loop, sometimes time."""
        kind = self._choose.random()
        if kind > 0.3:
            await asyncio.sleep(0 if kind < 0.6 else self._choose.random() * longest_s)

    async def _write(self, key: int) -> None:
        version = 0
        while self._goes_on() and version < VERSIONS - 1:
            await self._pause(0.02)
            version += 1
            self._board.commit(key, version)
            await self._pause(0.002)
            try:
                tag = f"race:{key}" if self._choose.random() < 0.8 else "race"
                await self._cache.invalidate(f"race:{key}", tag)
            except Exception as error:  # noqa: BLE001 - the report says what it was
                self.report.errors.append(repr(error))
            self._board.answer(key, version)
            self.report.writes += 1

    async def _read(self) -> None:
        while self._goes_on():
            key, policy = self._choose.randrange(KEYS), self._choose.choice(POLICIES)
            began = time.monotonic()
            if self._choose.random() < 0.5 and (found := self._cache.peek(policy.address(str(key)))):
                self.report.peeks += 1
            else:
                began = time.monotonic()
                try:
                    found, outcome = await self._cache.get_or_load(policy, str(key), partial(self._load, key))
                except Exception as error:  # noqa: BLE001
                    self.report.errors.append(repr(error))
                    continue
                self._outcomes[outcome.value] += 1
            newer_at = self._board.answered_at(key, int(found.body) + 1)
            if newer_at and newer_at < began:
                self.report.stale_reads += 1
                self.report.stalest_s = max(self.report.stalest_s, began - newer_at)
            await self._pause(0.002)

    async def _load(self, key: int) -> Entry:
        await self._pause(0.003)
        seen = self._board.committed(key)
        await self._pause(0.003)
        return Entry(str(seen).encode(), f'"{seen}"')


async def main(config: Config) -> Report:
    async with opened(Path(config.data_dir), config.redis_url) as cache:
        print("ready", flush=True)  # noqa: T201
        racer = Racer(config, cache, float(sys.stdin.readline()))
        await racer.run()
        return racer.report


if __name__ == "__main__":
    print(json.dumps(asdict(asyncio.run(main(Config(**json.loads(sys.argv[1])))))))  # noqa: T201
