"""`If-Match`: nobody overwrites what they have not seen."""

import hashlib

import httpx
import pytest
from fastapi import FastAPI
from pydantic import BaseModel

from core.deps import IfMatch
from core.errors import PreconditionFailed
from core.http import openapi
from core.http.answers import envelope, errors
from core.http.answers.conditional import Precondition
from core.http.answers.envelope import Envelope
from core.http.request.middleware import ClientResolver, RequestMiddleware
from tests.fixtures.refusals import assert_refused


class Row(BaseModel):
    name: str


def app_with_a_row() -> FastAPI:
    app = FastAPI()
    app.state.features, app.state.admin_paths = (), ()
    errors.install(app)
    openapi.install(app)
    app.add_middleware(RequestMiddleware, clients=ClientResolver([]))

    @app.put("/row")
    async def change(if_match: IfMatch) -> dict[str, list[str] | None]:
        if not if_match.matches('"3-abc"'):
            raise PreconditionFailed("Row with id 7 was changed meanwhile: read it again")
        return {"tags": None if if_match.tags is None else list(if_match.tags)}

    return app


async def put(*headers: str) -> httpx.Response:
    transport = httpx.ASGITransport(app=app_with_a_row())
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        return await client.put("/row", headers=[("If-Match", header) for header in headers])


@pytest.mark.parametrize(
    ("headers", "tags"),
    [
        ((), None),
        (("*",), ["*"]),
        (('"3-abc"',), ['"3-abc"']),
        (('W/"3-abc"',), ['"3-abc"']),
        (('"other" , W/"3-abc"',), ['"other"', '"3-abc"']),
        (('"other"', '"3-abc"'), ['"other"', '"3-abc"']),
    ],
)
async def test_goes_on(headers: tuple[str, ...], tags: list[str] | None) -> None:
    answer = await put(*headers)
    assert (answer.status_code, answer.json()) == (200, {"tags": tags})


@pytest.mark.parametrize("header", ['"2-abc"', '"2-abc", "4-abc"', ""])
async def test_refused_when_it_was_changed(header: str) -> None:
    answer = await put(header)
    assert answer.status_code == 412
    assert answer.json()["message"] == "Row with id 7 was changed meanwhile: read it again"


@pytest.mark.parametrize(
    "header", ["3-abc", '"3-abc', '3-abc"', '"3-abc" or "4-abc"', '"2-abc", 3-abc', "W/3-abc"]
)
async def test_a_tag_without_its_quotes_is_refused_and_said_to_lack_them(header: str) -> None:
    assert_refused(await put(header), "If-Match", "in its quotes, or *")


def test_a_weak_tag_of_ours_is_the_same_state() -> None:
    assert Precondition(('"1"',)).matches('W/"1"')
    assert not Precondition(()).matches('W/"1"')


def test_described_in_openapi() -> None:
    operation = app_with_a_row().openapi()["paths"]["/row"]["put"]
    assert [(each["name"], each["in"], each["required"]) for each in operation["parameters"]] == [
        ("if-match", "header", False),
        ("if-none-match", "header", False),
    ]
    assert operation["responses"]["412"] == {"$ref": "#/components/responses/PreconditionFailed"}


def test_a_rows_tag_is_of_its_version_and_its_bytes() -> None:
    data = '{"name":"José"}'.encode()
    wanted = f'"4-{hashlib.sha256(data).hexdigest()[:16]}"'
    assert envelope.row_etag(4, data) == wanted
    entry = envelope.Row(4, data).entry()
    assert (entry.etag, entry.body) == (
        wanted,
        Envelope[Row](data=Row(name="José")).model_dump_json().encode(),
    )
