"""A feature with a route for each thing that can happen to a request; no database behind it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any, Final

import httpx
from fastapi import File, Form, HTTPException, Query, Request, UploadFile
from fastapi.responses import StreamingResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import BaseModel, Field

from core.app import create_app
from core.database.errors import PoolExhausted
from core.deps import Actor
from core.errors import Conflict, FieldError, Invalid, NotFound, Unavailable
from core.feature import Feature
from core.http.answers.pagination import Limit
from core.http.request.body import allow_body
from core.http.request.fields import Text, Timestamp, Trimmed
from core.http.routing import Router
from core.settings import Settings
from features.health.feature import feature as health
from features.specs.feature import feature as specs

SECRET = "SELECT * FROM secrets WHERE password = 'hunter2'"
SMALL_LIMIT = 1000

router = Router(prefix="/probe", tags=["Probe"])


class ThingNotFound(NotFound):
    code = "probe.thing_not_found"


class Thing(BaseModel):
    title: Annotated[Trimmed, Field(min_length=1, max_length=20)]
    tags: list[Text] = []
    count: int = Field(default=1, ge=0, le=100)
    due: Timestamp | None = None


@router.get("/ok")
async def probe_ok() -> dict[str, str]:
    return {"hello": "there"}


@router.post("/things", status_code=201)
async def probe_create(thing: Thing) -> Thing:
    return thing


@router.put("/things")
async def probe_replace(thing: Thing) -> Thing:
    return thing


@router.get("/things/{name}")
async def probe_show(name: Text, limit: Annotated[Limit, Query()] = 10) -> dict[str, Any]:
    return {"name": name, "limit": limit}


@router.post("/form")
async def probe_form(word: Annotated[str, Form()]) -> dict[str, str]:
    return {"word": word}


@router.post("/file")
async def probe_file(file: Annotated[UploadFile, File()]) -> dict[str, str | None]:
    return {"name": file.filename}


@router.post("/stream")
async def probe_stream(request: Request, limit: int) -> dict[str, int]:
    allow_body(request, limit)
    received = 0
    async for chunk in request.stream():
        received += len(chunk)
    return {"received": received}


@router.get("/crash")
async def probe_crash() -> None:
    raise RuntimeError(SECRET)


@router.get("/broken-stream")
async def probe_broken_stream() -> StreamingResponse:
    async def lines() -> AsyncIterator[bytes]:
        yield b"one\n"
        raise RuntimeError(SECRET)

    return StreamingResponse(lines())


@router.get("/errors/{kind}")
async def probe_errors(kind: str) -> None:
    if kind == "missing":
        raise ThingNotFound("Thing with id 7 not found")
    if kind == "conflict":
        raise Conflict("Already there")
    if kind == "pool":
        raise PoolExhausted("All database connections are busy; try again in a moment.")
    if kind == "framework":
        raise HTTPException(418, "A teapot", headers={"X-Brewed": "tea"})
    if kind == "unavailable":
        raise Unavailable("Try again later", retry_after=2.5)
    raise Invalid("Validation failed", details=[FieldError("kind", "is not known", kind)])


@router.get("/actor")
async def probe_actor(actor: Actor) -> dict[str, str]:
    return {"name": actor.name, "request_id": actor.request_id or ""}


@router.get("/big")
async def probe_big() -> dict[str, str]:
    return {"text": "many words " * 1000}


@router.get("/lines")
async def probe_lines(count: int) -> StreamingResponse:
    async def lines() -> AsyncIterator[bytes]:
        for number in range(count):
            yield b'{"line": %d}\n' % number

    return StreamingResponse(lines(), media_type="application/x-ndjson", headers={"ETag": '"1"'})


@router.get("/events", response_class=EventSourceResponse)
async def probe_events() -> AsyncIterator[ServerSentEvent]:
    yield ServerSentEvent(raw_data="x" * 5000, id="1")


@router.get("/endless")
async def probe_endless() -> StreamingResponse:
    async def beats() -> AsyncIterator[bytes]:
        while True:
            yield b"beat\n"
            await asyncio.sleep(0)

    return StreamingResponse(beats())


feature = Feature(name="probe", router=router)


FEATURES: Final = (feature, health, specs)
"""The probe, and the slices that tell of the service itself."""


def settings_for_probe(**changes: object) -> Settings:
    values = {
        "database_url": "postgresql://nobody@localhost/none",
        "redis_url": "memory",
        "rate_limit_max": 0,
        "allow_open": True,
    }
    return Settings.model_validate({**values, **changes})


@asynccontextmanager
async def probe_client(
    client_address: str = "192.0.2.1", **changes: object
) -> AsyncIterator[httpx.AsyncClient]:
    """The app with the probe feature alone, not started: nothing it would connect to is needed."""
    app = create_app(settings_for_probe(**changes), FEATURES)
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False, client=(client_address, 1234))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield client


def assert_shape(response: httpx.Response, status: int) -> dict[str, Any]:
    """The one error shape of the contract; returns the body."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    body: dict[str, Any] = response.json()
    assert body["success"] is False
    assert body["message"] == body["error"]
    assert body["message"]
    assert body["errors"]
    assert all(isinstance(line, str) for line in body["errors"])
    assert set(body) <= {"success", "message", "error", "errors", "details"}
    for detail in body.get("details", []):
        assert set(detail) <= {"field", "message", "value"}
        assert {"field", "message"} <= set(detail)
    assert response.headers["x-request-id"]
    return body
