"""CORS: what pages of other origins may send, and what they may read of answers of every layer."""

from typing import Any

import httpx

from core.http.request.context import API_HEADERS
from tests.fixtures.application import RunningApp
from tests.http.probe import probe_client

READABLE = {"cache-control", "content-length", "content-type", "vary"} | {
    name.decode() for name, _ in API_HEADERS
}
"""Headers that a page may read anyway, or has no use for. Those of CORS itself come on top."""
READABLE |= {"access-control-allow-origin", "access-control-expose-headers"}


def listed(response: httpx.Response, name: str) -> list[str]:
    return [entry.strip() for entry in response.headers[name].split(",")]


ORIGIN = {"origin": "https://app.example"}
PREFLIGHT = {**ORIGIN, "access-control-request-method": "PUT"}


async def test_off_by_default(probe: httpx.AsyncClient) -> None:
    response = await probe.get("/probe/ok", headers=ORIGIN)
    assert "access-control-allow-origin" not in response.headers


async def test_configured_origin() -> None:
    async with probe_client(cors_origins="https://app.example") as client:
        for path in ("/probe/ok", "/nowhere", "/probe/crash"):
            response = await client.get(path, headers=ORIGIN)
            assert response.headers["access-control-allow-origin"] == "https://app.example"
            assert "ETag" in response.headers["access-control-expose-headers"]
            exposed = {name.lower() for name in listed(response, "access-control-expose-headers")}
            assert set(response.headers) - exposed <= READABLE
            assert "Origin" in response.headers["vary"]
        preflight = await client.options("/probe/things", headers=PREFLIGHT)
        assert preflight.status_code == 204
        assert "PUT" in preflight.headers["access-control-allow-methods"]
        assert {
            "Authorization",
            "Content-Type",
            "Idempotency-Key",
            "If-Match",
            "If-Modified-Since",
            "If-None-Match",
            "If-Range",
            "If-Unmodified-Since",
            "Last-Event-ID",
            "Range",
            "X-User-Id",
        } <= set(listed(preflight, "access-control-allow-headers"))


async def test_a_page_may_send_the_headers_that_it_asks_for() -> None:
    asked = "content-type,x-tenant"
    async with probe_client(cors_origins="https://app.example") as client:
        headers = {**PREFLIGHT, "access-control-request-headers": asked}
        allowed = await client.options("/probe/things", headers=headers)
        assert (allowed.status_code, allowed.headers["access-control-allow-headers"]) == (204, asked)
        refused = await client.options("/probe/things", headers={**headers, "origin": "https://evil.example"})
        assert refused.status_code == 403
        assert "access-control-allow-headers" not in refused.headers


async def test_a_page_sees_the_errors_of_every_layer(running_app: RunningApp) -> None:
    def assert_seen(answer: httpx.Response, status: int) -> None:
        assert answer.status_code == status
        assert answer.headers["access-control-allow-origin"] == "https://app.example"
        exposed = {name.lower() for name in listed(answer, "access-control-expose-headers")}
        assert set(answer.headers) - exposed <= READABLE | {"connection"}

    settings: dict[str, Any] = {"cors_origins": ["https://app.example"]}
    async with probe_client(**settings, max_body_bytes=1024) as client:
        assert_seen(await client.post("/probe/things", json={"title": "x" * 2000}, headers=ORIGIN), 413)
        assert_seen(await client.get("/probe/errors/unavailable", headers=ORIGIN), 503)
        assert_seen(await client.delete("/probe/things", headers=ORIGIN), 405)
    async with running_app(**settings, auth="keys") as client:
        assert_seen(await client.get("/api/items", headers=ORIGIN), 401)
    async with running_app(**settings, rate_limit_max=1) as client:
        assert_seen(await client.get("/api/items", headers=ORIGIN), 200)
        assert_seen(await client.get("/api/items", headers=ORIGIN), 429)
        client._transport.app.state.platform.draining.set()  # type: ignore[attr-defined]
        assert_seen(await client.get("/api/items", headers=ORIGIN), 503)


async def test_other_origin() -> None:
    async with probe_client(cors_origins="https://app.example") as client:
        headers = {"origin": "https://evil.example"}
        response = await client.get("/probe/ok", headers=headers)
        assert response.status_code == 200
        assert "access-control-allow-origin" not in response.headers
        assert "Origin" in response.headers["vary"]
        preflight = await client.options("/probe/ok", headers={**PREFLIGHT, **headers})
        assert preflight.status_code == 403
        assert preflight.json()["success"] is False
