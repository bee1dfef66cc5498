"""Known URLs are answered before routing: the same answers, and everything that a request gets."""

import gzip
import re
from collections.abc import Iterator
from unittest.mock import patch

import httpx
import pytest
import pytest_asyncio
import structlog
from fastapi import FastAPI

from core.http.answers import response_cache
from core.http.answers.response_cache import ResponseCache
from core.http.answers.sending import gzip as gzip_whole
from core.observability.metrics import scrape
from features.items.tests.factories import create
from tests.fixtures.application import RunningApp, client_of, lifespan_of, new_app

PER_REQUEST = {"x-request-id", "server-timing", "x-cache", "ratelimit-remaining", "ratelimit-reset"}
LISTS = (
    "/api/items",
    "/api/items?limit=3",
    "/api/items/?limit=3",
    "/api/v1/ideas?limit=20&status=new",
    "/api/v1/ideas/kanban",
    "/api/v1/systems",
    "/api/v1/systems/statistics",
    "/api/v1/stats/systems",
    "/api/v1/stats/ideas",
    "/api/v1/stats/health",
)


@pytest.fixture
def routed() -> Iterator[list[str]]:
    """The paths that took the long way, through the layers inside of the response cache."""
    seen: list[str] = []
    original = ResponseCache._remember

    def remember(self: ResponseCache, url: tuple[bytes, bytes], scope: object) -> None:
        seen.append(url[0].decode())
        original(self, url, scope)  # type: ignore[arg-type]

    with patch.object(ResponseCache, "_remember", remember):
        yield seen


@pytest_asyncio.fixture(loop_scope="session")
async def item(client: httpx.AsyncClient) -> str:
    """Its URL. Long enough to be compressed."""
    made = await create(client, description="many words " * 200)
    return f"/api/items/{made['id']}"


def lasting(response: httpx.Response) -> dict[str, str]:
    return {name: value for name, value in response.headers.items() if name not in PER_REQUEST}


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_both_ways_answer_alike(
    app: FastAPI, client: httpx.AsyncClient, item: str, routed: list[str], encoding: str, method: str
) -> None:
    layer_of(app)._known.clear()
    for url in (*LISTS, item):
        routed.clear()
        headers = {"accept-encoding": encoding}
        first, second, third = [await client.request(method, url, headers=headers) for _ in range(3)]
        assert routed == [url.partition("?")[0]]
        assert first.status_code == second.status_code == 200, url
        assert first.content == second.content == third.content
        one, two, three = lasting(first), lasting(second), lasting(third)
        if encoding == "gzip":  # two compressors need not find the same length
            for each in (one, two, three):
                each.pop("content-length")
        assert one == two == three
        assert second.headers.keys() == first.headers.keys()
        assert third.headers["x-cache"] == "HIT"


async def test_a_write_is_seen_by_the_next_read(
    client: httpx.AsyncClient, item: str, routed: list[str]
) -> None:
    for encoding in ("identity", "gzip"):
        headers = {"accept-encoding": encoding}
        for _ in range(2):
            before = await client.get(item, headers=headers)
        title = f"Changed for {encoding}"
        assert (await client.put(item, json={"title": title})).status_code == 200
        after = await client.get(item, headers=headers)
        assert after.json()["data"]["title"] == title
        assert after.headers["x-cache"] == "MISS"
        assert after.headers["etag"] != before.headers["etag"]
    assert routed == [item]


async def test_what_was_deleted_is_not_found_in_the_usual_words(client: httpx.AsyncClient, item: str) -> None:
    for _ in range(2):
        await client.get(item)
    assert (await client.delete(item)).status_code == 200
    for accept in ("application/json", "application/problem+json"):
        known, routed = [await client.get(item, headers={"accept": accept}) for _ in range(2)]
        assert known.status_code == 404
        assert lasting(known) == lasting(routed)
        assert known.json() | {"requestId": 0} == routed.json() | {"requestId": 0}


async def test_unknown_ids_are_never_remembered(app: FastAPI, client: httpx.AsyncClient) -> None:
    layer = layer_of(app)
    layer._known.clear()
    for number in range(1, 6):
        assert (await client.get(f"/api/items/unknown-{number}")).status_code == 404
        assert (await client.get(f"/api/items?limit=-{number}")).status_code == 400
    assert not layer._known


async def test_the_memory_is_bounded(app: FastAPI, client: httpx.AsyncClient, item: str) -> None:
    layer = layer_of(app)
    with patch.object(response_cache, "MAX_URLS", 3):
        layer._known.clear()
        for number in range(1, 6):
            await client.get(f"/api/items?limit={number}")
            await client.get("/api/items?limit=1")
        assert len(layer._known) == 3
        assert any(query == b"limit=1" for _, query in layer._known)  # used most recently
    with patch.object(response_cache, "MAX_URL_BYTES", 20):
        layer._known.clear()
        await client.get("/api/items?limit=11111")
        assert not layer._known


async def test_not_modified(client: httpx.AsyncClient, item: str) -> None:
    for encoding in ("identity", "gzip"):
        for _ in range(2):
            etag = (await client.get(item, headers={"accept-encoding": encoding})).headers["etag"]
        for sent in (etag, f'"other", {etag}', "*"):
            headers = {"accept-encoding": encoding, "if-none-match": sent}
            for method in ("GET", "HEAD"):
                answer = await client.request(method, item, headers=headers)
                assert (answer.status_code, answer.content) == (304, b"")
                assert answer.headers["etag"].removeprefix("W/") == etag.removeprefix("W/")
                assert answer.headers["x-cache"] == "HIT"
        changed = await client.get(item, headers={"if-none-match": '"other"'})
        assert changed.status_code == 200


async def test_compressed_bytes_are_kept(client: httpx.AsyncClient, item: str) -> None:
    plain = await client.get(item, headers={"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.headers["vary"] == "Accept-Encoding"
    with (
        patch.object(response_cache, "gzip", side_effect=gzip_whole) as compress,
        patch.object(ResponseCache, "_load", autospec=True, side_effect=ResponseCache._load) as load,
    ):
        for _ in range(3):
            async with client.stream("GET", item, headers={"accept-encoding": "gzip"}) as zipped:
                raw = b"".join([chunk async for chunk in zipped.aiter_raw()])
            assert zipped.headers["content-encoding"] == "gzip"
            assert zipped.headers["vary"] == "Accept-Encoding"
            assert zipped.headers["etag"] == f"W/{plain.headers['etag']}"
            assert gzip.decompress(raw) == plain.content
            assert int(zipped.headers["content-length"]) == len(raw) < len(plain.content)
        # What was loaded anew, for Redis was silent in between, is compressed anew.
        assert compress.call_count <= 1 + load.call_count
    refusing = await client.get(item, headers={"accept-encoding": "gzip;q=0"})
    assert "content-encoding" not in refusing.headers


async def test_a_short_answer_has_one_form_until_it_grows(running_app: RunningApp) -> None:
    """What is not worth compressing is found at once all the same, and so is what became worth it."""
    # However late Redis answers on a busy machine, memory may be used.
    async with running_app(cache_hosts_bound_ms=60_000) as client:
        url = f"/api/items/{(await create(client, description='few words'))['id']}"

        async def compressed() -> list[bool]:
            answers = [await client.get(url, headers={"accept-encoding": "gzip"}) for _ in range(3)]
            assert {answer.json()["data"]["description"] for answer in answers} == {description}
            return ["content-encoding" in answer.headers for answer in answers]

        description = "few words"
        assert await compressed() == [False] * 3
        with patch.object(ResponseCache, "_load", autospec=True, side_effect=ResponseCache._load) as load:
            assert await compressed() == [False] * 3
            assert load.call_count == 0
            for description in ("many words" * 200, "few words again"):
                assert (await client.put(url, json={"description": description})).status_code == 200
                # Loaded for another spelling: nothing tells this one that there is more of it now, or less.
                elsewhere = await client.get(f"{url}/", headers={"accept-encoding": "identity"})
                assert elsewhere.headers["x-cache"] == "MISS"
                load.reset_mock()
                assert await compressed() == [len(description) > 1024] * 3
                assert load.call_count == 1


async def test_every_request_is_counted_and_logged(client: httpx.AsyncClient, item: str) -> None:
    def count() -> float:
        labels = re.escape('method="GET",route="/api/items/{id}",status="200"')
        pattern = rf"^tradingsystem_http_requests_total{{{labels}}} (\S+)$"
        found = re.search(pattern, scrape().decode(), re.MULTILINE)
        return float(found.group(1)) if found else 0.0

    before = count()
    with structlog.testing.capture_logs() as logs:
        answers = [await client.get(item, headers={"x-request-id": f"r{n}"}) for n in range(3)]
    assert [answer.headers["x-request-id"] for answer in answers] == ["r0", "r1", "r2"]
    assert count() == before + 3
    events = [entry for entry in logs if entry["event"] == "http.request"]
    assert [event["request_id"] for event in events] == ["r0", "r1", "r2"]
    assert {(event["route"], event["path"], event["status"]) for event in events} == {
        ("/api/items/{id}", item, 200)
    }


async def test_the_rate_limit_holds(running_app: RunningApp) -> None:
    async with running_app(rate_limit_max=3) as client:
        answers = [await client.get("/api/items") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert [answer.headers["ratelimit-remaining"] for answer in answers] == ["2", "1", "0", "0"]
    assert answers[2].headers["x-cache"] == "HIT"


async def test_while_draining_nothing_is_answered(settings: object) -> None:
    application = new_app(settings)  # type: ignore[arg-type]
    async with lifespan_of(application), client_of(application) as client:
        for _ in range(2):
            assert (await client.get("/api/items")).status_code == 200
        application.state.platform.draining.set()
        assert (await client.get("/api/items")).status_code == 503


async def test_a_started_app_forgets_what_the_one_before_it_knew(settings: object, routed: list[str]) -> None:
    application = new_app(settings)  # type: ignore[arg-type]
    for _ in range(2):
        async with lifespan_of(application), client_of(application) as client:
            for _ in range(2):
                assert (await client.get("/api/items")).status_code == 200
    assert routed == ["/api/items", "/api/items"]


def layer_of(app: FastAPI) -> ResponseCache:
    layer = app.middleware_stack
    while not isinstance(layer, ResponseCache):
        layer = layer.app  # type: ignore[union-attr]
    return layer
