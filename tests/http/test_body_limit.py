"""A body over its limit is 413, whether its size was declared or not; one that does not arrive is 408."""

import asyncio
from typing import Any

import httpx
import pytest

from tests.http.probe import SMALL_LIMIT, assert_shape


async def test_declared_size(probe: httpx.AsyncClient) -> None:
    response = await probe.post("/probe/things", json={"title": "x" * SMALL_LIMIT})
    body = assert_shape(response, 413)
    assert body["message"] == f"Request body is larger than {SMALL_LIMIT} bytes"
    assert response.headers["connection"] == "close"


async def test_undeclared_size(probe: httpx.AsyncClient) -> None:
    async def chunks() -> Any:
        for _ in range(20):
            yield b"x" * 100

    headers = {"content-type": "application/json"}
    assert_shape(await probe.post("/probe/things", content=chunks(), headers=headers), 413)


async def test_form(probe: httpx.AsyncClient) -> None:
    assert_shape(await probe.post("/probe/file", files={"file": b"x" * 2000}), 413)


async def test_route_without_a_body_or_unknown(probe: httpx.AsyncClient) -> None:
    """Nothing reads the body there, so what is wrong is told first."""
    assert_shape(await probe.post("/nowhere", content=b"x" * 2000), 404)


async def test_route_raises_its_limit_from_a_setting(probe: httpx.AsyncClient) -> None:
    response = await probe.post("/probe/stream?limit=5000", content=b"x" * 5000)
    assert response.json() == {"received": 5000}
    assert_shape(await probe.post("/probe/stream?limit=5000", content=b"x" * 5001), 413)


@pytest.mark.parametrize("path", ["/probe/things", "/probe/stream?limit=5000", "/probe/file"])
async def test_a_client_that_pauses_is_not_waited_for(
    probe: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setattr("core.http.request.body.LONGEST_PAUSE_S", 0.05)

    async def body() -> Any:
        yield b"--b\r\n"
        await asyncio.Event().wait()

    kind = "multipart/form-data; boundary=b" if path == "/probe/file" else "application/json"
    response = await asyncio.wait_for(probe.post(path, content=body(), headers={"content-type": kind}), 10)
    assert_shape(response, 408)
    assert response.headers["connection"] == "close"


async def test_an_ordinary_body_has_a_time_in_all(
    probe: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However busily it is sent; one that a route streams may go on."""
    monkeypatch.setattr("core.http.request.body.LONGEST_BODY_S", 0.1)

    async def body() -> Any:
        for _ in range(100):
            yield b" "
            await asyncio.sleep(0.01)

    headers = {"content-type": "application/json"}
    assert_shape(await probe.post("/probe/things", content=body(), headers=headers), 408)
    assert (await probe.post("/probe/stream?limit=5000", content=body())).json() == {"received": 100}
