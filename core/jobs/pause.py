"""A sleep that an event ends early."""

import asyncio
from contextlib import suppress


async def pause(until: asyncio.Event, seconds: float) -> None:
    """Sleep, but no longer than until the event."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await until.wait()
