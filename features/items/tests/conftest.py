"""A plain connection to the test's database, for looking behind the app and for breaking things."""

from collections.abc import AsyncIterator

import asyncpg
import pytest_asyncio

from core.database.client import Database
from features.items.tests.factories import Connection
from tests.fixtures.services import TestServices


@pytest_asyncio.fixture(loop_scope="session")
async def connection(db: Database, services: TestServices) -> AsyncIterator[Connection]:
    """Depends on `db` for the clean tables that come with it."""
    opened = await asyncpg.connect(services.database_url)
    try:
        yield opened
    finally:
        await opened.close()
