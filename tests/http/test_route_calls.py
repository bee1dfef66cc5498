"""`Route` answers as the framework's own routes do, whatever is asked, and calls what they would call."""

import contextvars
from collections.abc import AsyncIterator
from typing import Annotated, Any

import httpx
import pytest
from fastapi import (
    APIRouter,
    BackgroundTasks,
    Body,
    Cookie,
    Depends,
    FastAPI,
    Form,
    Header,
    Path,
    Query,
    Request,
)
from fastapi.responses import JSONResponse, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from core.http.routing import Route

CALLS: contextvars.ContextVar[list[str]] = contextvars.ContextVar("calls")


class Thing(BaseModel):
    name: str = Field(max_length=5)
    size: int = 1


class Filter(BaseModel):
    model_config = {"extra": "forbid"}
    limit: int = Field(10, ge=1)
    tags: list[str] = []


def called(name: str) -> None:
    CALLS.get().append(name)


async def who(request: Request) -> str:
    called("who")
    return request.headers.get("x-user", "nobody")


async def page(number: Annotated[int, Query(ge=0)] = 0) -> int:
    called("page")
    return number


async def place(who: Annotated[str, Depends(who)], page: Annotated[int, Depends(page)]) -> str:
    called("place")
    if who == "stranger":
        raise HTTPException(403, "no strangers")
    return f"{who}:{page}"


async def anew() -> int:
    called("anew")
    return len(CALLS.get())


async def opened() -> AsyncIterator[str]:
    called("open")
    yield "open"
    called("close")


def threaded() -> str:
    return "thread"


async def with_body(thing: Thing) -> str:
    return thing.name


Who = Annotated[str, Depends(who)]
Place = Annotated[str, Depends(place)]
Anew = Annotated[int, Depends(anew, use_cache=False)]

router = APIRouter()


@router.post("/things/{thing_id}")
async def create(thing_id: int, place: Place, who: Who, thing: Thing) -> Response:
    return JSONResponse([thing_id, place, who, thing.model_dump()], 201)


@router.get("/things")
async def find(
    filter: Annotated[Filter, Query()],  # noqa: A002
    place: Place,
    agent: Annotated[str | None, Header(alias="x-agent")] = None,
    theme: Annotated[str, Cookie()] = "light",
) -> JSONResponse:
    return JSONResponse([filter.model_dump(), place, agent, theme])


@router.post("/optional")
async def optional(thing: Thing | None = None) -> Response:
    return JSONResponse(None if thing is None else thing.model_dump())


@router.put("/named/{name}")
async def named(name: Annotated[str, Path()], who: Who, thing: Thing, place: Place) -> Response:
    called("named")
    return JSONResponse([name, who, place, thing.model_dump()])


@router.put("/plain/{name}")
async def plain(name: Annotated[str, Path()], who: Who, again: Who, thing: Thing) -> Response:
    called("plain")
    return JSONResponse([name, who, again, thing.model_dump()])


@router.post("/list")
async def several(things: list[Thing]) -> Response:
    return JSONResponse(len(things))


@router.get("/anew")
async def twice(first: Anew, second: Anew) -> Response:
    return JSONResponse([first, second])


@router.get("/yielding")
async def yielding(value: Annotated[str, Depends(opened)]) -> Response:
    return JSONResponse(value)


@router.get("/threaded")
async def in_thread(value: Annotated[str, Depends(threaded)]) -> Response:
    return JSONResponse(value)


@router.post("/inner-body")
async def inner_body(value: Annotated[str, Depends(with_body)]) -> Response:
    return JSONResponse(value)


@router.post("/two-bodies")
async def two_bodies(thing: Thing, other: Annotated[int, Body()]) -> Response:
    return JSONResponse([thing.name, other])


@router.post("/form")
async def form(name: Annotated[str, Form()]) -> Response:
    return JSONResponse(name)


@router.get("/model")
async def model() -> Thing:
    return Thing(name="a")


@router.get("/given")
async def given(response: Response) -> Response:
    return JSONResponse(response.status_code)


@router.get("/afterwards")
async def afterwards(tasks: BackgroundTasks) -> Response:
    tasks.add_task(called, "task")
    return JSONResponse(None)


@router.post("/little", max_body_size=20)
async def little(thing: Thing) -> Response:
    return JSONResponse(thing.name)


JSON = {"content-type": "application/json"}
THING = b'{"name":"a"}'


def app_of(kind: type[APIRoute]) -> FastAPI:
    app = FastAPI()
    for route in router.routes:
        assert isinstance(route, APIRoute)
        app.router.add_api_route(
            route.path,
            route.endpoint,
            methods=route.methods,
            dependencies=[Depends(who)] if route.path == "/things" else None,
            max_body_size=route.max_body_size,
            route_class_override=kind,
        )
    return app


async def answered(app: FastAPI, method: str, path: str, **sent: Any) -> tuple[int, bytes, str, list[str]]:
    """Status, body, media type, and what was called."""
    calls: list[str] = []
    token = CALLS.set(calls)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        response = await client.request(method, path, **sent)
    CALLS.reset(token)
    return response.status_code, response.content, response.headers.get("content-type", ""), calls


@pytest.mark.parametrize(
    ("status", "method", "path", "sent"),
    [
        (201, "POST", "/things/7", {"content": THING, "headers": JSON}),
        (201, "POST", "/things/7?number=3", {"content": THING, "headers": {**JSON, "x-user": "ada"}}),
        (201, "POST", "/things/7", {"content": THING, "headers": {"content-type": "Application/JSON ; a=b"}}),
        (201, "POST", "/things/7", {"content": THING, "headers": {"content-type": "application/a+json"}}),
        (201, "POST", "/things/7", {"content": THING.decode().encode("utf-16"), "headers": JSON}),
        (403, "POST", "/things/7", {"content": THING, "headers": {**JSON, "x-user": "stranger"}}),
        (403, "POST", "/things/7", {"content": b"[]", "headers": {**JSON, "x-user": "stranger"}}),
        (422, "POST", "/things/x", {"content": THING, "headers": JSON}),
        (422, "POST", "/things/x?number=-1", {"content": b'{"size":"x"}', "headers": JSON}),
        (422, "POST", "/things/7", {"content": b'{"name":"too long"}', "headers": JSON}),
        (422, "POST", "/things/7", {"content": b'{"name":', "headers": JSON}),
        (422, "POST", "/things/7", {"content": b"", "headers": JSON}),
        (422, "POST", "/things/7", {"content": b"null", "headers": JSON}),
        (400, "POST", "/things/7", {"content": b'"\xff"', "headers": JSON}),
        (400, "POST", "/things/7", {"content": b"[" * 100_000, "headers": JSON}),
        (422, "POST", "/things/7", {"content": THING, "headers": {"content-type": "text/plain"}}),
        (422, "POST", "/things/7", {"content": THING}),
        (422, "POST", "/things/7", {}),
        (200, "GET", "/things", {"headers": {"x-agent": "b", "cookie": "theme=dark"}}),
        (200, "GET", "/things?limit=3&tags=a&tags=b", {}),
        (422, "GET", "/things?limit=0&unknown=1&number=-1", {}),
        (200, "POST", "/optional", {}),
        (200, "POST", "/optional", {"content": THING, "headers": JSON}),
        (200, "POST", "/optional", {"content": b"null", "headers": JSON}),
        (200, "POST", "/list", {"content": b"[%b,%b]" % (THING, THING), "headers": JSON}),
        (422, "POST", "/list", {"content": b'[{"name":"a"},{}]', "headers": JSON}),
        (200, "GET", "/anew", {}),
        (200, "PUT", "/named/a%20b", {"content": THING, "headers": JSON}),
        (403, "PUT", "/named/a", {"content": THING, "headers": {**JSON, "x-user": "stranger"}}),
        (200, "PUT", "/plain/a", {"content": THING, "headers": {**JSON, "x-user": "ada"}}),
        (200, "PUT", "/plain/a", {"content": THING, "headers": {"content-type": "application/a+json"}}),
        (200, "PUT", "/plain/a", {"content": THING, "headers": {"content-type": "Application/JSON;a=b"}}),
        (200, "PUT", "/plain/a", {"content": THING.decode().encode("utf-16"), "headers": JSON}),
        (422, "PUT", "/plain/a", {"content": b'{"name":"too long"}', "headers": JSON}),
        (422, "PUT", "/plain/a", {"content": b"null", "headers": JSON}),
        (422, "PUT", "/plain/a", {"content": b"{", "headers": JSON}),
        (400, "PUT", "/plain/a", {"content": b'"\xff"', "headers": JSON}),
        (400, "PUT", "/plain/a", {"content": b"[" * 100_000, "headers": JSON}),
        (422, "PUT", "/plain/a", {"content": THING}),
        (422, "PUT", "/plain/a", {}),
        (200, "GET", "/yielding", {}),
        (200, "GET", "/threaded", {}),
        (200, "POST", "/inner-body", {"content": THING, "headers": JSON}),
        (200, "POST", "/two-bodies", {"content": b'{"thing":%b,"other":1}' % THING, "headers": JSON}),
        (200, "POST", "/form", {"data": {"name": "a"}}),
        (200, "GET", "/model", {}),
        (200, "GET", "/given", {}),
        (200, "GET", "/afterwards", {}),
        (200, "POST", "/little", {"content": THING, "headers": JSON}),
        (413, "POST", "/little", {"content": b'{"name":"a"              }', "headers": JSON}),
    ],
)
async def test_the_same_answers_and_the_same_calls(
    status: int, method: str, path: str, sent: dict[str, Any]
) -> None:
    expected = await answered(app_of(APIRoute), method, path, **sent)
    assert expected[0] == status
    assert await answered(app_of(Route), method, path, **sent) == expected


async def test_what_went_wrong_inside_goes_out() -> None:
    app = FastAPI()

    async def failing() -> Response:
        raise ValueError("inside")

    app.router.add_api_route("/failing", failing, route_class_override=Route)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        with pytest.raises(ValueError, match="inside"):
            await client.get("/failing")
