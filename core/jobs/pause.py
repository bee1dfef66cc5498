"""Waiting that ends early."""

import asyncio


async def pause(until: asyncio.Event, seconds: float) -> None:
    """Sleep, but no longer than until the event."""
    try:
        async with asyncio.timeout(seconds):
            await until.wait()
    except TimeoutError:
        return
