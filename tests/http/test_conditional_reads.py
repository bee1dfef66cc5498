"""ETag, If-None-Match and X-Cache on cached answers, on the whole app with a real cache."""

from collections.abc import AsyncIterator

import httpx
import pytest_asyncio
from fastapi import FastAPI, Request, Response

from core.cache import Entry, Policy
from core.deps import Cache
from core.errors import NotFound
from core.http.answers import errors
from core.http.answers.conditional import cached_response
from core.http.request.middleware import ClientResolver, RequestMiddleware
from core.http.routing import Router

POLICY = Policy("probe.conditional", ttl_s=60, tags=("probe-conditional",))
router = Router()
versions = {"known": 1}


@router.get("/cached/{name}")
async def cached(request: Request, cache: Cache, name: str) -> Response:
    async def load() -> Entry:
        if name not in versions:
            raise NotFound("No such thing")
        version = versions[name]
        return Entry(b'{"version": %d}' % version, f'"{version}"')

    return await cached_response(request, cache, POLICY, name, load)


@router.post("/cached/{name}")
async def change(cache: Cache, name: str) -> None:
    versions[name] += 1
    await cache.invalidate("probe-conditional")


@pytest_asyncio.fixture(loop_scope="session")
async def cached_client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    own = FastAPI()
    own.include_router(router)
    own.state.platform = app.state.platform
    own.state.settings = app.state.settings
    errors.install(own)
    own.add_middleware(RequestMiddleware, clients=ClientResolver([]))
    transport = httpx.ASGITransport(app=own, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield client


async def test_miss_then_hit_with_equal_bytes(cached_client: httpx.AsyncClient) -> None:
    first, second = [await cached_client.get("/cached/known") for _ in range(2)]
    assert (first.headers["x-cache"], second.headers["x-cache"]) == ("MISS", "HIT")
    assert first.content == second.content
    assert first.headers["etag"] == second.headers["etag"]
    assert first.headers["cache-control"] == "no-cache"


async def test_not_modified(cached_client: httpx.AsyncClient) -> None:
    etag = (await cached_client.get("/cached/known")).headers["etag"]
    for sent in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        response = await cached_client.get("/cached/known", headers={"if-none-match": sent})
        assert response.status_code == 304
        assert response.content == b""
        assert response.headers["etag"] == etag
        assert response.headers["x-cache"] == "HIT"
        assert response.headers["x-request-id"]
    head = await cached_client.head("/cached/known", headers={"if-none-match": etag})
    assert head.status_code == 304


async def test_changed_since(cached_client: httpx.AsyncClient) -> None:
    etag = (await cached_client.get("/cached/known")).headers["etag"]
    await cached_client.post("/cached/known")
    response = await cached_client.get("/cached/known", headers={"if-none-match": etag})
    assert response.status_code == 200
    assert response.headers["etag"] != etag


async def test_errors_are_not_cached(cached_client: httpx.AsyncClient) -> None:
    for _ in range(2):
        response = await cached_client.get("/cached/later", headers={"if-none-match": "*"})
        assert response.status_code == 404
        assert "x-cache" not in response.headers
    versions["later"] = 1
    assert (await cached_client.get("/cached/later")).status_code == 200
    del versions["later"]
