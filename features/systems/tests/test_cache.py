"""Cached reads: conditional requests, and never an old value after an answered write."""

import httpx
import pytest

from core.cache import Cache, Entry, Policy
from features.systems.api import SYSTEM_TAGS
from features.systems.tests.factories import PATH, create
from tests.fixtures.application import RunningApp

SHARED = ["", "?limit=1", "/status/online", "/type/api", "/search?q=system", "/statistics"]


async def outcome(client: httpx.AsyncClient, path: str) -> str:
    response = await client.get(PATH + path)
    assert response.status_code == 200, response.text
    return response.headers["x-cache"]


@pytest.mark.parametrize("path", SHARED)
async def test_what_shows_several_systems_is_cached_until_any_write(
    client: httpx.AsyncClient, path: str
) -> None:
    system = await create(client, type="api")

    async def changed() -> None:
        first, second = await client.get(PATH + path), await client.get(PATH + path)
        assert (first.headers["x-cache"], second.headers["x-cache"]) == ("MISS", "HIT")
        assert first.content == second.content
        assert '"0 queries"' in second.headers["server-timing"]
        same = await client.get(PATH + path, headers={"if-none-match": first.headers["etag"]})
        assert (same.status_code, same.content) == (304, b"")

    await changed()
    await create(client, type="api")
    await changed()
    await client.put(f"{PATH}/{system['id']}", json={"status": "degraded"})
    await changed()
    await client.post(f"{PATH}/{system['id']}/health")
    await client.delete(f"{PATH}/{system['id']}")
    await changed()


async def test_one_system_is_cached_until_its_own_write(client: httpx.AsyncClient) -> None:
    mine, other = await create(client), await create(client)
    for system in (mine, other):
        assert await outcome(client, f"/{system['id']}") == "MISS"
        assert await outcome(client, f"/{system['id']}") == "HIT"
    before = (await client.get(f"{PATH}/{mine['id']}")).headers["etag"]
    await client.put(f"{PATH}/{mine['id']}", json={"status": "offline"})
    assert await outcome(client, f"/{other['id']}") == "HIT"
    after = await client.get(f"{PATH}/{mine['id']}", headers={"if-none-match": before})
    assert (after.status_code, after.headers["x-cache"]) == (200, "MISS")
    assert after.json()["data"]["status"] == "offline"
    assert not after.headers["etag"].startswith("W/")
    await client.delete(f"{PATH}/{mine['id']}")
    assert (await client.get(f"{PATH}/{mine['id']}")).status_code == 404


async def test_what_other_slices_show_of_a_system_is_renewed_when_it_changes(
    running_app: RunningApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    caches: list[Cache] = []
    started = Cache.start

    async def start(cache: Cache) -> None:
        caches.append(cache)
        await started(cache)

    monkeypatch.setattr(Cache, "start", start)
    foreign = Policy("test.foreign", tags=SYSTEM_TAGS)

    async def load() -> Entry:
        return Entry(b"{}", '"1"')

    async with running_app() as client:
        [cache] = caches
        system = await create(client)
        url = f"{PATH}/{system['id']}"
        await cache.get_or_load(foreign, "x", load)
        for request, renewed in (
            (client.put(url, json={"status": "offline"}), False),
            (client.put(url, json={"name": "Renamed"}), True),
            (client.delete(url), True),
        ):
            assert (await request).status_code == 200
            _, found = await cache.get_or_load(foreign, "x", load)
            assert found == ("MISS" if renewed else "HIT")
