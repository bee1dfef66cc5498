"""Sleeps between tries, which an event ends early."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Delays:
    """Delays of a process, in seconds. `pickup`: for so long a queued job is reserved to the process that
    enqueued it, then any may run it; `poll`: between two looks for jobs without a runner, `clock`: for due
    ones; `retry`: before what failed is tried again.
    """

    pickup: float = 5.0
    poll: float = 2.0
    clock: float = 10.0
    retry: float = 1.0


async def pause(until: asyncio.Event, seconds: float) -> None:
    """Sleep, but no longer than until the event."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await until.wait()
