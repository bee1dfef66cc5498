from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from core.cache import Cache
from tests.cache.support import RedisServer, opened


@pytest.fixture(scope="module")
def shared_server() -> Iterator[RedisServer]:
    server = RedisServer()
    server.start()
    yield server
    server.close()


@pytest.fixture
def server() -> Iterator[RedisServer]:
    """A server of the test's own, to be mistreated."""
    server = RedisServer()
    server.start()
    yield server
    server.close()


@pytest.fixture(params=["memory", "redis"])
async def cache(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Cache]:
    """Every behaviour of this cache holds with and without Redis."""
    url = "memory"
    if request.param == "redis":
        server = request.getfixturevalue("shared_server")
        url = server.url
    async with opened(tmp_path, url) as cache:
        yield cache
