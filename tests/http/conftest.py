"""The probe app, for every test of this folder."""

from collections.abc import AsyncIterator

import httpx
import pytest_asyncio

from core.observability.logging import flush
from tests.http.probe import SMALL_LIMIT, probe_client


@pytest_asyncio.fixture(loop_scope="session")
async def probe() -> AsyncIterator[httpx.AsyncClient]:
    async with probe_client(max_body_bytes=SMALL_LIMIT) as client:
        yield client
        flush()
