"""A receiver on loopback, and an app that may send there."""

from collections.abc import AsyncIterator

import httpx
import pytest_asyncio

from features.webhooks.tests.receiver import LOOPBACK, Receiver, running_receiver
from tests.fixtures.application import RunningApp


@pytest_asyncio.fixture(loop_scope="session")
async def receiver() -> AsyncIterator[Receiver]:
    async with running_receiver() as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def sender(running_app: RunningApp, receiver: Receiver) -> AsyncIterator[httpx.AsyncClient]:
    async with running_app(webhook_allow=LOOPBACK) as client:
        yield client
