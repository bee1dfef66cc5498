"""Batches in flight: several are in progress at the same time, their outcomes come in order."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from functools import partial
from typing import TypeVar

from core.jobs import JobContext

Batch = TypeVar("Batch")
Outcome = TypeVar("Outcome")


@asynccontextmanager
async def in_flight(
    context: JobContext,
    batches: Iterator[Batch],
    begin: Callable[[Batch], asyncio.Task[Outcome]],
    *,
    most: int,
) -> AsyncIterator[AsyncIterator[Outcome]]:
    """Outcomes of `begin` of each batch, in order. When the block ends, the remaining tasks are cancelled."""
    under_way: deque[asyncio.Task[Outcome]] = deque()

    async def outcomes() -> AsyncIterator[Outcome]:
        while True:
            await context.raise_if_stopping()
            batch = await asyncio.to_thread(partial(next, batches, None))
            if batch is not None:
                under_way.append(begin(batch))
            if not under_way:
                return
            if batch is None or len(under_way) == most:
                yield await under_way.popleft()

    try:
        yield outcomes()
    finally:
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
