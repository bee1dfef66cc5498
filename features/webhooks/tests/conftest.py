"""A receiver on loopback, at the address that the app may send to."""

from collections.abc import AsyncIterator

import pytest_asyncio

from features.webhooks.tests.receiver import Receiver, running_receiver


@pytest_asyncio.fixture(loop_scope="session")
async def receiver() -> AsyncIterator[Receiver]:
    async with running_receiver() as running:
        yield running
