"""Schemathesis reads the app's document and tries every operation with what it allows and what it forbids.

No answer may be a 5xx, have a status, media type or body that the document does not declare, or lack a header
that it promises. Requests come from the document without chance: the same document, the same requests.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Final, TypeAlias

import httpx
import pytest
import pytest_asyncio
import requests
import schemathesis
from fastapi import FastAPI
from schemathesis import Case as AnyCase
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.pytest.lazy import get_all_tests
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from core.settings import Settings
from features.systems.outbound.network import GuardedNetwork, NotReachable
from tests.contract.notation import UUID
from tests.contract.serving import Send, serving, strict_app
from tests.fixtures.application import BASE_URL
from tests.fixtures.document import document

pytestmark = pytest.mark.slow

Case: TypeAlias = AnyCase[Any]
CHECKS: Final = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
NOT_TRIED: Final = {
    "/api/v1/jobs/{job_id}/events": "a stream of events ends with its job; it has tests of its own",
    "/api/v1/changes/events": "a stream of events does not end; it has tests of its own",
}
NOT_A_TEXT: Final = {
    "/spec/openapi.yaml": "published as bytes, which the check takes for a YAML document that is one text",
    "/spec/asyncapi.yaml": "the same",
}
EXAMPLES: Final = 8
FORM_FIELDS: Final = {"file": ("notes.txt", b"Some notes", "text/plain")}
MADE: Final[dict[str, dict[str, Any]]] = {
    "/api/items": {"title": "t", "description": "d", "category": "dashboard", "priority": "low"},
    "/api/v1/systems": {"name": "n", "description": "d", "status": "planned"},
    "/api/v1/ideas": {"title": "t", "description": "d", "category": "api", "priority": "low"},
    "/api/v1/webhooks": {"url": "https://a.example"},
}
UPLOADS: Final = "/api/v1/files"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def send(settings: Settings, empty_tables: Callable[[], Awaitable[None]]) -> AsyncIterator[Send]:
    """The app on empty tables, without the outside world: systems with an address are only looked for."""

    async def nowhere(*_: object, **__: object) -> None:
        raise NotReachable("no network in this test")

    await empty_tables()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(GuardedNetwork, "connect_tcp", nowhere)
        with serving(strict_app(settings)) as send:
            yield send


@pytest.fixture(scope="module")
def existing(send: Send) -> Callable[[str], str | None]:
    """The id of a row below a collection, made when the last one is gone."""
    known: dict[str, str] = {}

    def find(path: str) -> str | None:
        root = path.partition("/{")[0]
        one = httpx.Request("GET", f"{BASE_URL}{root}/{known.get(root)}")
        if root in known and send(one).status_code == 200:
            return known[root]
        if root == UPLOADS:
            made = httpx.Request("POST", f"{BASE_URL}{UPLOADS}/upload", files=FORM_FIELDS)
        elif root in MADE:
            made = httpx.Request("POST", f"{BASE_URL}{root}", json=MADE[root])
        else:
            return None
        answer = send(made)
        assert answer.status_code == 201, answer.text
        known[root] = answer.json()["data"]["id"]
        return known[root]

    return find


def sent_as(case: Case) -> httpx.Request:
    """The request to the byte, as Schemathesis would send it itself."""
    prepared = requests.Session().prepare_request(requests.Request(**case.as_transport_kwargs(BASE_URL)))
    assert prepared.method is not None
    assert prepared.url is not None
    body = prepared.body.encode() if isinstance(prepared.body, str) else prepared.body
    assert body is None or isinstance(body, bytes)
    headers = [(_bytes(name), _bytes(value)) for name, value in prepared.headers.items()]
    return httpx.Request(prepared.method, prepared.url, headers=headers, content=body)


def _bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode("latin-1", "replace")


def test_the_fuzzing_itself_sees_a_wrong_answer() -> None:
    document = {
        "openapi": "3.1.0",
        "info": {"title": "", "version": ""},
        "paths": {
            path: {"get": {"responses": {"200": {"content": {"application/json": {"schema": UUID}}}}}}
            for path in ("/crash", "/other", "/text", "/number")
        },
    }
    answers = {
        "/crash": httpx.Response(500),
        "/other": httpx.Response(203, json=""),
        "/text": httpx.Response(200, text=""),
        "/number": httpx.Response(200, json=1),
    }
    for path, answer in answers.items():
        case = schemathesis.openapi.from_dict(document)[path]["GET"].Case()
        answer.request = sent_as(case)
        answer.elapsed = timedelta()
        with pytest.raises(FailureGroup):
            case.validate_response(answer, checks=CHECKS)


def test_an_app_that_does_not_start_is_told() -> None:
    app = FastAPI(lifespan=_broken)
    with pytest.raises(RuntimeError, match="not today"), serving(app):
        pass


@asynccontextmanager
async def _broken(app: FastAPI) -> AsyncIterator[None]:
    if app.title:
        raise RuntimeError("not today")
    yield


def as_documented(case: Case, send: Send, existing: Callable[[str], str | None]) -> None:
    identifiers = [name for name in case.path_parameters or {} if name.lower().endswith("id")]
    # Half of the requests are about a row that exists.
    if identifiers and len(str(case.path_parameters[identifiers[0]])) % 2:
        row_id = existing(case.path)
        case.path_parameters[identifiers[0]] = row_id or case.path_parameters[identifiers[0]]
    excluded = [response_schema_conformance] if case.path in NOT_A_TEXT else []
    case.validate_response(send(sent_as(case)), checks=CHECKS, excluded_checks=excluded)


@pytest.mark.parametrize("path", [path for path in document()["paths"] if path not in NOT_TRIED])
def test_every_answer_is_as_documented(
    path: str, send: Send, existing: Callable[[str], str | None], subtests: pytest.Subtests
) -> None:
    """The document has that path alone: its requests are made here, not when tests are collected."""
    schema = schemathesis.openapi.from_dict({**document(), "paths": {path: document()["paths"][path]}})
    schema.config.generation.update(max_examples=EXAMPLES, deterministic=True, database="none")
    for made in get_all_tests(schema=schema, test_func=as_documented, settings=None, given_kwargs=None):
        assert isinstance(made, Ok)
        operation, test = made.ok()
        with subtests.test(operation.label):
            test(send=send, existing=existing)
