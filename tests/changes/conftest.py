import asyncio
import math
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Protocol

import httpx
import pytest

from core.changes import IDLE_AFTER_S
from core.settings import Settings
from tests.cache.support import RedisServer
from tests.fixtures.application import client_of, lifespan_of, new_app
from tests.fixtures.database import Connection
from tests.fixtures.waiting import wait_for

BOUND_S = Settings().cache_hosts_bound_ms / 1000


class StartHost(Protocol):
    """`async with host("a") as client`: the app on a host of this name."""

    def __call__(self, name: str, **changes: object) -> AbstractAsyncContextManager[httpx.AsyncClient]: ...


@pytest.fixture
def host(settings: Settings, tmp_path: Path, emptied: None, monkeypatch: pytest.MonkeyPatch) -> StartHost:
    """Hosts share the database and nothing else: each has the tag versions in its own data folder."""
    monkeypatch.setattr("core.cache.cache.versions_folder", lambda settings: settings.data_dir / "run")

    @asynccontextmanager
    async def start(name: str, **changes: object) -> AsyncIterator[httpx.AsyncClient]:
        own = {"data_dir": tmp_path / name, "redis_url": "memory", **changes}
        app = new_app(settings.model_copy(update=own))
        async with lifespan_of(app), client_of(app) as client:
            yield client

    return start


@pytest.fixture
def redis_server() -> Iterator[RedisServer]:
    server = RedisServer()
    server.start()
    yield server
    server.close()


async def cached(client: httpx.AsyncClient, path: str) -> httpx.Response:
    """The answer, once it comes from the cache."""

    async def hit() -> httpx.Response | None:
        answer = await client.get(path)
        return answer if answer.headers["x-cache"] == "HIT" else None

    answer = await wait_for(hit)
    assert answer is not None
    return answer


async def no_looks(connection: Connection) -> None:
    """Waits until nobody has looked for twice as long as it takes to notice that nobody reads."""

    async def idle() -> bool:
        ages = await connection.fetch(
            "SELECT extract(epoch FROM clock_timestamp() - state_change)::float8 FROM pg_stat_activity "
            "WHERE datname = current_database() AND query LIKE '%pg_current_snapshot()%' "
            "AND pid <> pg_backend_pid()"
        )
        return min((age for (age,) in ages), default=math.inf) > 2 * IDLE_AFTER_S

    await wait_for(idle)


async def shows_in_time(
    client: httpx.AsyncClient, path: str, shown: Callable[[httpx.Response], bool], written_at: float
) -> None:
    """Reads until the answer is as wanted: none that begins later than the bound may be another."""
    while True:
        began = time.monotonic()
        answer = await client.get(path)
        if shown(answer):
            return
        late_s = began - written_at
        assert late_s < BOUND_S, f"{path} is old {late_s:.3f} s after the write: {answer.text[:200]}"
        await asyncio.sleep(0)
