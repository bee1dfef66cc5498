"""Random interleavings of reads and writes: no read that begins after an answered write returns what was
before.

Two real processes over shared memory and Redis, undisturbed and with Redis being mistreated all the while;
and, with hypothesis, every order of the steps of reads and writes within one process.
"""

import asyncio
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.cache import Cache, Entry, Policy
from tests.cache.race_worker import BOARD_BYTES, ENOUGH, KEYS, Config, Report
from tests.cache.support import RedisServer, opened

pytestmark = pytest.mark.slow

DURATION_S = 3.0


def race(
    tmp_path: Path,
    redis_url: str,
    *,
    disturb: Callable[[], None] = lambda: None,
) -> list[Report]:
    """Two processes on one host, `disturb` again and again until they end."""
    board = tmp_path / "board"
    board.write_bytes(bytes(BOARD_BYTES))
    processes = []
    for number in range(2):
        config = Config(
            data_dir=str(tmp_path / "host"),
            redis_url=redis_url,
            board=str(board),
            writes=list(range(number, KEYS, 2)),
            seed=number,
        )
        processes.append(_start(config))
    try:
        for process in processes:
            assert process.stdout is not None
            assert any(line == "ready\n" for line in iter(process.stdout.readline, "")), "it did not start"
        stop_at = time.monotonic() + DURATION_S
        for process in processes:
            assert process.stdin is not None
            process.stdin.write(f"{stop_at}\n")
            process.stdin.flush()
        while time.monotonic() < stop_at:
            disturb()
            time.sleep(0.05)
        answers = [process.communicate(timeout=60)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    assert [process.returncode for process in processes] == [0, 0]
    reports = [Report(**json.loads(answer.splitlines()[-1])) for answer in answers]
    for report in reports:
        assert report.errors == []
        assert report.writes > ENOUGH
        assert report.outcomes["HIT"] > ENOUGH
        assert report.outcomes["MISS"] > ENOUGH
    return reports


def _start(config: Config) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.cache.race_worker", json.dumps(asdict(config))]
    root = Path(__file__).parents[2]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=root)


@pytest.mark.parametrize("store", ["memory", "redis"])
def test_two_processes_of_one_host_never_read_stale(
    tmp_path: Path, shared_server: RedisServer, store: str
) -> None:
    url = shared_server.url if store == "redis" else "memory"
    assert [report.stale_reads for report in race(tmp_path, url)] == [0, 0]


class Mistreatment:
    """One fault after the other, with time in between for the caches to come back."""

    def __init__(self, server: RedisServer) -> None:
        self._server = server
        self._choose = random.Random(3)
        self._faults = [
            self._flush,
            self._hang,
            self._snapshot,
            self._restart,
            self._forget,
            self._cut,
            self._fill,
        ]
        self._next_at = 0.0
        self.done = 0

    def __call__(self) -> None:
        if time.monotonic() < self._next_at:
            return
        self._faults[self.done % len(self._faults)]()
        self.done += 1
        self._next_at = time.monotonic() + 0.2

    def _flush(self) -> None:
        with self._server.client() as client:
            client.flushall()

    def _snapshot(self) -> None:
        with self._server.client() as client:
            client.save()

    def _restart(self) -> None:
        self._server.restart()

    def _cut(self) -> None:
        with self._server.client() as client:
            client.execute_command("CLIENT", "KILL", "TYPE", "normal")

    def _fill(self) -> None:
        self._server.fill()
        time.sleep(0.1)
        self._server.recover()

    def _hang(self) -> None:
        self._server.stop()
        time.sleep(0.4)
        self._server.resume()

    def _forget(self) -> None:
        with self._server.client() as client:
            names = list(client.scan_iter())
            if names:
                client.delete(*self._choose.sample(names, (len(names) + 1) // 2))


def test_nor_while_redis_is_mistreated(tmp_path: Path, server: RedisServer) -> None:
    mistreatment = Mistreatment(server)
    reports = race(tmp_path, server.url, disturb=mistreatment)
    assert mistreatment.done >= 4
    assert sum(report.outcomes.get("BYPASS", 0) for report in reports) > 0
    assert [report.stale_reads for report in reports] == [0, 0]


POLICY = Policy("race.steps", 60, ("steps",))
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["begin", "look", "finish", "read at once", "commit", "answer"]), st.integers(0, 1)
    ),
    min_size=10,
    max_size=60,
)


class Reader:
    """A read whose load waits twice: before it looks at the committed version, and before it returns it."""

    def __init__(self, steps: "Steps", cache: Cache) -> None:
        self.may_look, self.may_finish = asyncio.Event(), asyncio.Event()
        self._steps = steps
        self._floor = steps.answered
        self.task = asyncio.create_task(self._read(cache))

    async def _read(self, cache: Cache) -> None:
        found, _ = await cache.get_or_load(POLICY, "", self._load)
        assert int(found.body) >= self._floor, "a read that began after an answered write missed it"

    async def _load(self) -> Entry:
        await self.may_look.wait()
        seen = self._steps.committed
        await self.may_finish.wait()
        return Entry(str(seen).encode(), "")


class Steps:
    """Two caches of one host and one key; `take` carries out one step of one of the parties."""

    def __init__(self, caches: tuple[Cache, Cache]) -> None:
        self._caches = caches
        self.committed = 0
        self.answered = 0
        self._readers: list[Reader] = []

    async def take(self, step: str, number: int) -> None:
        cache = self._caches[number]
        if step in {"begin", "read at once"}:
            reader = Reader(self, cache)
            self._readers.append(reader)
            if step == "read at once":
                reader.may_look.set()
                reader.may_finish.set()
        elif step == "commit":
            self.committed += 1
        elif step == "answer":
            version = self.committed
            await cache.invalidate("steps")
            self.answered = version
        elif step == "look":
            self._let(number, [reader.may_look for reader in self._readers])
        else:
            self._let(number, [reader.may_finish for reader in self._readers if reader.may_look.is_set()])
        await settle()

    def _let(self, number: int, events: list[asyncio.Event]) -> None:
        waiting = [event for event in events if not event.is_set()]
        if waiting:
            waiting[number % len(waiting)].set()

    async def end(self) -> None:
        for reader in self._readers:
            reader.may_look.set()
            reader.may_finish.set()
        await asyncio.gather(*(reader.task for reader in self._readers))


async def settle() -> None:
    for _ in range(12):
        await asyncio.sleep(0)


@settings(max_examples=200, deadline=None)
@given(steps=STEPS)
def test_no_order_of_steps_makes_a_read_stale(steps: list[tuple[str, int]]) -> None:
    async def scenario() -> None:
        with tempfile.TemporaryDirectory() as folder:
            async with opened(Path(folder)) as one, opened(Path(folder)) as two:
                parties = Steps((one, two))
                for step, number in steps:
                    await parties.take(step, number)
                await parties.end()

    asyncio.run(scenario())
