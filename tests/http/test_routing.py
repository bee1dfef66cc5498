"""A slice's routes take whatever the framework's routes take, and look at how a query is written."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

import httpx
import pytest
from fastapi import BackgroundTasks, Body, Cookie, Depends, FastAPI, Form, Header, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from core.http.answers import errors
from core.http.routing import Router

DONE: list[str] = []


class Thing(BaseModel):
    name: str = Field(max_length=5)


class Filter(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)

    page_size: int | None = Field(default=10, ge=1)
    tags: list[str] = []
    numbers: list[int] | None = None


async def opened() -> AsyncIterator[str]:
    yield "open"
    DONE.append("closed")


def threaded(request: Request) -> str:
    return request.method


router = Router(prefix="/things")


@router.get("")
async def find(filter: Annotated[Filter, Query()], number: int = 0) -> dict[str, Any]:  # noqa: A002
    return {**filter.model_dump(), "number": number}


@router.post("/{thing_id}")
async def create(
    thing_id: int,
    thing: Thing,
    other: Annotated[int, Body()],
    value: Annotated[str, Depends(opened)],
    method: Annotated[str, Depends(threaded)],
    agent: Annotated[str, Header()],
    theme: Annotated[str, Cookie()],
    response: Response,
    tasks: BackgroundTasks,
) -> list[Any]:
    tasks.add_task(DONE.append, "task")
    response.status_code = 201
    return [thing_id, thing.name, other, value, method, agent, theme]


@router.post("")
async def form(name: Annotated[str, Form()]) -> str:
    return name


@pytest.fixture
def app() -> FastAPI:
    app = FastAPI()
    app.router.routes.extend(router.routes)
    errors.install(app)
    return app


async def ask(app: FastAPI, method: str, path: str, **sent: Any) -> httpx.Response:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        return await client.request(method, path, **sent)


async def test_every_kind_of_parameter(app: FastAPI) -> None:
    DONE.clear()
    sent = {"thing": {"name": "a"}, "other": 2}
    headers = {"agent": "b", "cookie": "theme=dark"}
    answer = await ask(app, "POST", "/things/7", json=sent, headers=headers)
    assert (answer.status_code, answer.json()) == (201, [7, "a", 2, "open", "POST", "b", "dark"])
    assert sorted(DONE) == ["closed", "task"]
    assert (await ask(app, "POST", "/things", data={"name": "a"})).json() == "a"


@pytest.mark.parametrize(
    "query", ["tags=a&tags=b", "numbers=1&numbers=2", "pageSize=3", "other=1&other=+1", "number=-3"]
)
async def test_what_may_be_written_so(app: FastAPI, query: str) -> None:
    assert (await ask(app, "GET", f"/things?{query}")).status_code == 200


@pytest.mark.parametrize(
    ("query", "field", "message"),
    [
        ("pageSize=3&pageSize=3", "pageSize", "is given more than once; give it once"),
        ("page_size=3&page_size=4", "page_size", "is given more than once; give it once"),
        ("pageSize=1_0", "pageSize", "must be a whole number"),
        ("number=%2B1", "number", "must be a whole number"),
    ],
)
async def test_what_may_not(app: FastAPI, query: str, field: str, message: str) -> None:
    answer = await ask(app, "GET", f"/things?{query}")
    assert answer.status_code == 400
    [told] = answer.json()["details"]
    assert (told["field"], told["message"]) == (field, message)
