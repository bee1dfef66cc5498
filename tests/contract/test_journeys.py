"""A journey sees a wrong answer, and an operation that was never called."""

import httpx
import pytest

from tests.contract.journeys import Journey
from tests.contract.notation import (
    ERROR,
    TEXT,
    TIME,
    WHOLE,
    Bytes,
    Promise,
    Schema,
    document_of,
    enveloped,
    in_path,
    record,
)

THING = enveloped(record({"id": TEXT, "at": TIME}, {"size": WHOLE}))
PROMISES = (
    Promise("get", "/things/{id}", {200: THING, 404: ERROR}, (in_path("id"),)),
    Promise("get", "/things/file", {200: Bytes("application/zip")}),
)
GOOD = {"success": True, "data": {"id": "a", "at": "2025-10-23T22:45:24.940Z", "more": 1}}


def journey(answer: httpx.Response, document: Schema | None = None) -> Journey:
    client = httpx.AsyncClient(transport=httpx.MockTransport(lambda _: answer), base_url="http://test")
    return Journey(client, {"components": {}, **(document or document_of(PROMISES))}, PROMISES)


async def test_a_promised_answer_is_returned_and_remembered() -> None:
    walk = journey(httpx.Response(200, json=GOOD))
    assert await walk.call("GET", "/things/a", 200) == GOOD
    with pytest.raises(AssertionError, match=r"GET /things/\{id\} 404.*GET /things/file 200"):
        walk.finish()
    walk.seen |= {("GET /things/{id}", 404), ("GET /things/file", 200)}
    walk.finish()


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        (httpx.Response(200, json={"success": True}), "'data' is a required property"),
        (httpx.Response(200, json={**GOOD, "success": False}), "True was expected"),
        (httpx.Response(200, json={**GOOD, "data": {**GOOD["data"], "size": None}}), "None is not of type"),  # type: ignore[dict-item]
        (
            httpx.Response(200, json={**GOOD, "data": {"id": "a", "at": "2025-10-23T22:45Z"}}),
            "does not match",
        ),
        (httpx.Response(201, json=GOOD), "201"),
        (httpx.Response(200, text="ok"), "promised JSON"),
    ],
)
async def test_a_wrong_answer_is_seen(answer: httpx.Response, complaint: str) -> None:
    with pytest.raises(AssertionError, match=complaint):
        await journey(answer).call("GET", "/things/a", 200)


async def test_an_answer_of_another_media_type_is_seen() -> None:
    pdf = httpx.Response(200, content=b"%PDF", headers={"content-type": "application/pdf"})
    with pytest.raises(AssertionError, match="promised application/zip"):
        await journey(pdf).call("GET", "/things/file", 200)


async def test_an_answer_that_the_app_does_not_document_is_seen() -> None:
    other = document_of([Promise("get", "/things/{id}", {404: ERROR, 200: record({"id": WHOLE})})])
    with pytest.raises(AssertionError, match=r"document: .*'id' is a required property"):
        await journey(httpx.Response(200, json=GOOD), other).call("GET", "/things/a", 200)
    silent = document_of([Promise("get", "/things/{id}", {404: ERROR})])
    with pytest.raises(AssertionError, match="does not document 200"):
        await journey(httpx.Response(200, json=GOOD), silent).call("GET", "/things/a", 200)


async def test_a_call_outside_the_table_is_refused() -> None:
    with pytest.raises(AssertionError, match="not in the table"):
        await journey(httpx.Response(200, json=GOOD)).call("GET", "/things", 200)
