"""Batches under way at the same time."""

import asyncio
from collections import defaultdict
from types import SimpleNamespace
from typing import Final, cast

import pytest

from core.jobs import JobContext, JobInterrupted
from features.imports.pipeline.in_flight import in_flight

LANES: Final = 3


class Work:
    """Batches are numbers; an even one ends only when as many as may be under way with it have begun."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.begun: defaultdict[int, asyncio.Event] = defaultdict(asyncio.Event)
        self.ended: list[int] = []
        self.most_at_once = self.at_once = 0

    def begin(self, batch: int) -> asyncio.Task[int]:
        return asyncio.create_task(self._run(batch))

    async def _run(self, batch: int) -> int:
        self.begun[batch].set()
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        last = batch + LANES - 1
        try:
            if batch % 2 == 0 and last < self.count:
                await self.begun[last].wait()
        finally:
            self.at_once -= 1
        self.ended.append(batch)
        return batch


def context(stop_after: int | None = None) -> JobContext:
    asked = 0

    async def raise_if_stopping() -> None:
        nonlocal asked
        asked += 1
        if asked == stop_after:
            raise JobInterrupted

    return cast(JobContext, SimpleNamespace(raise_if_stopping=raise_if_stopping))


async def collect(context: JobContext, work: Work) -> list[int]:
    async with in_flight(context, iter(range(work.count)), work.begin, most=LANES) as outcomes:
        return [each async for each in outcomes]


@pytest.mark.parametrize("count", [0, 1, LANES, 10])
async def test_outcomes_come_in_order_whatever_ends_first(count: int) -> None:
    work = Work(count)
    assert await collect(context(), work) == list(range(count))
    assert work.most_at_once <= LANES
    assert (work.ended != list(range(count))) == (count >= LANES)


async def test_what_is_under_way_ends_with_the_block() -> None:
    work = Work(10)
    with pytest.raises(JobInterrupted):
        await collect(context(stop_after=LANES), work)
    assert work.begun
    assert work.at_once == 0
    assert 0 not in work.ended
