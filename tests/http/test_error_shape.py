"""Every error has the one shape, and nothing internal is in it."""

from collections.abc import MutableMapping
from typing import Any, ClassVar

import httpx
import pytest
import structlog

from tests.http.probe import SECRET, assert_shape, probe_client

JSON = {"content-type": "application/json"}


async def test_unknown_route(probe: httpx.AsyncClient) -> None:
    body = assert_shape(await probe.get("/nowhere"), 404)
    assert body["message"] == "Route not found"
    assert "details" not in body


async def test_wrong_method_names_every_method_of_the_path(probe: httpx.AsyncClient) -> None:
    response = await probe.patch("/probe/things", json={})
    assert_shape(response, 405)
    assert response.headers["allow"] == "POST, PUT"


async def test_wrong_method_where_reading_is_allowed(probe: httpx.AsyncClient) -> None:
    response = await probe.request("OPTIONS", "/probe/ok")
    assert_shape(response, 405)
    assert response.headers["allow"] == "GET, HEAD"


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b'{"title": }',
        b"\xff\xfe",
        b"[" * 40_000,
        b'{"count": ' + b"9" * 5000 + b"}",
        b"nothing",
    ],
    ids=["cut off", "hole", "not UTF-8", "deep", "huge number", "word"],
)
async def test_malformed_json(content: bytes) -> None:
    async with probe_client(max_body_bytes=50_000) as client:
        body = assert_shape(await client.post("/probe/things", content=content, headers=JSON), 400)
    assert body["message"] == "Malformed JSON"
    assert [detail["field"] for detail in body["details"]] == ["body"]


async def test_malformed_json_tells_where(probe: httpx.AsyncClient) -> None:
    body = assert_shape(await probe.post("/probe/things", content=b'{"title" 1}', headers=JSON), 400)
    assert body["message"] == "Malformed JSON"
    assert body["details"] == [{"field": "body", "message": "is not valid JSON (at character 9)"}]


async def test_validation_names_field_reason_and_value(probe: httpx.AsyncClient) -> None:
    sent = {"title": "   ", "tags": [5, "good"], "count": 1000, "due": "tomorrow"}
    body = assert_shape(await probe.post("/probe/things", json=sent), 400)
    assert body["message"] == "Validation failed"
    assert body["details"] == [
        {"field": "title", "message": "must not be empty", "value": "   "},
        {"field": "tags.0", "message": "must be a string", "value": 5},
        {"field": "count", "message": "must be at most 100", "value": 1000},
        {
            "field": "due",
            "message": "must be an ISO 8601 timestamp such as 2025-10-23T22:45:24.940Z, "
            "of a day and time that exist",
            "value": "tomorrow",
        },
    ]
    assert body["errors"][1] == "tags.0: must be a string"


async def test_missing_fields_and_bodies(probe: httpx.AsyncClient) -> None:
    body = assert_shape(await probe.post("/probe/things", json={}), 400)
    assert body["details"] == [{"field": "title", "message": "is required"}]
    body = assert_shape(await probe.post("/probe/things"), 400)
    assert body["details"] == [{"field": "body", "message": "is required"}]
    body = assert_shape(await probe.post("/probe/things", json=[1]), 400)
    assert body["details"] == [{"field": "body", "message": "must be an object", "value": [1]}]


async def test_long_values_are_shortened(probe: httpx.AsyncClient) -> None:
    body = assert_shape(await probe.post("/probe/things", json={"title": "x" * 500}), 400)
    assert body["details"][0]["message"] == "must have at most 20 characters"
    assert len(body["details"][0]["value"]) == 100


async def test_many_errors_make_a_short_answer(probe: httpx.AsyncClient) -> None:
    sent = b'{"title": "a", "tags": [' + b",".join([b"1"] * 400) + b"]}"
    body = assert_shape(await probe.post("/probe/things", content=sent, headers=JSON), 400)
    assert len(body["details"]) == 100


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/probe/things/a?limit=0", "limit"),
        ("/probe/things/a?limit=many", "limit"),
        ("/probe/things/a?limit=" + "9" * 400, "limit"),
        ("/probe/things/a%00b", "name"),
    ],
)
async def test_parameters_are_named_without_their_place(
    probe: httpx.AsyncClient, path: str, field: str
) -> None:
    body = assert_shape(await probe.get(path), 400)
    assert [detail["field"] for detail in body["details"]] == [field]


@pytest.mark.parametrize(
    ("content", "field"),
    [
        (b'{"title": "a\\u0000b"}', "title"),
        (b'{"title": "a\\ud800b"}', "title"),
        (b'{"title": "a", "tags": ["good", "\\udfff"]}', "tags.1"),
        (b'{"title": "a", "count": 1e400}', "count"),
        (b'{"title": "a", "count": NaN}', "count"),
        (b'{"title": "a", "count": 123456789012345678901234567890}', "count"),
    ],
)
async def test_what_a_database_cannot_hold_is_refused_by_name(
    probe: httpx.AsyncClient, content: bytes, field: str
) -> None:
    body = assert_shape(await probe.post("/probe/things", content=content, headers=JSON), 400)
    assert [detail["field"] for detail in body["details"]] == [field]


async def test_unknown_fields_are_ignored_whatever_they_hold(probe: httpx.AsyncClient) -> None:
    content = b'{"title": "a", "else": "\\u0000\\ud800", "id": 1e999}'
    response = await probe.post("/probe/things", content=content, headers=JSON)
    assert response.status_code == 201
    assert "else" not in response.json()


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", "nonsense", ""]
)
async def test_json_route_given_another_media_type(probe: httpx.AsyncClient, content_type: str) -> None:
    response = await probe.post(
        "/probe/things", content=b'{"title": "a"}', headers={"content-type": content_type}
    )
    body = assert_shape(response, 415)
    assert body["message"] == "Content-Type must be application/json"


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "application/problem+json"])
async def test_json_by_other_names_is_read(probe: httpx.AsyncClient, content_type: str) -> None:
    response = await probe.post(
        "/probe/things", content=b'{"title": "a"}', headers={"content-type": content_type}
    )
    assert response.status_code == 201


async def test_form_routes_given_json(probe: httpx.AsyncClient) -> None:
    assert_shape(await probe.post("/probe/form", json={"word": "a"}), 415)
    assert_shape(await probe.post("/probe/file", json={"file": "a"}), 415)
    assert (await probe.post("/probe/form", data={"word": "a"})).json() == {"word": "a"}
    body = assert_shape(await probe.post("/probe/form", data={"other": "a"}), 400)
    assert body["details"] == [{"field": "word", "message": "is required"}]


async def test_broken_multipart(probe: httpx.AsyncClient) -> None:
    headers = {"content-type": "multipart/form-data; boundary=x"}
    assert_shape(await probe.post("/probe/file", content=b"--y\r\nno", headers=headers), 400)
    headers = {"content-type": "multipart/form-data"}
    assert_shape(await probe.post("/probe/file", content=b"--y\r\nno", headers=headers), 400)


@pytest.mark.parametrize(
    ("kind", "status", "message"),
    [
        ("missing", 404, "Thing with id 7 not found"),
        ("conflict", 409, "Already there"),
        ("unavailable", 503, "Try again later"),
        ("pool", 503, "All database connections are busy; try again in a moment."),
        ("other", 400, "Validation failed"),
    ],
)
async def test_named_errors(probe: httpx.AsyncClient, kind: str, status: int, message: str) -> None:
    response = await probe.get(f"/probe/errors/{kind}")
    assert assert_shape(response, status)["message"] == message
    assert ("retry-after" in response.headers) == (status == 503)
    assert response.headers["cache-control"] == "no-store"


async def test_an_error_of_the_framework_keeps_its_headers(probe: httpx.AsyncClient) -> None:
    response = await probe.get("/probe/errors/framework")
    assert assert_shape(response, 418)["message"] == "A teapot"
    assert response.headers["x-brewed"] == "tea"


async def test_retry_after_is_rounded_up(probe: httpx.AsyncClient) -> None:
    assert (await probe.get("/probe/errors/unavailable")).headers["retry-after"] == "3"


async def test_crash_tells_nothing_and_is_logged_with_the_request_id(probe: httpx.AsyncClient) -> None:
    with structlog.testing.capture_logs([structlog.contextvars.merge_contextvars]) as logs:
        response = await probe.get("/probe/crash", headers={"x-request-id": "find-me"})
    body = assert_shape(response, 500)
    assert body["message"] == "Internal server error"
    assert "hunter2" not in response.text
    crash = only(logs, "http.crashed")
    assert crash["request_id"] == "find-me"
    assert str(crash["exc_info"]) == SECRET


async def test_crash_after_the_answer_began_cuts_it_off(probe: httpx.AsyncClient) -> None:
    """The transport reports an answer without an end; a server would close the connection."""
    with structlog.testing.capture_logs() as logs, pytest.raises(AssertionError):
        await probe.get("/probe/broken-stream")
    assert only(logs, "http.crashed")["after"] == "response started"
    assert only(logs, "http.request")["route"] == "/probe/broken-stream"


def only(logs: list[MutableMapping[str, Any]], event: str) -> MutableMapping[str, Any]:
    found = [entry for entry in logs if entry["event"] == event]
    assert len(found) == 1, logs
    return found[0]


class TestProblemDetails:
    """RFC 9457, for clients that ask for it."""

    ACCEPT: ClassVar = {"accept": "application/problem+json"}

    async def test_same_facts_in_the_other_shape(self, probe: httpx.AsyncClient) -> None:
        response = await probe.post("/probe/things", json={"title": 1}, headers=self.ACCEPT)
        assert response.status_code == 400
        assert response.headers["content-type"] == "application/problem+json"
        assert "Accept" in response.headers["vary"]
        assert response.json() == {
            "type": "urn:handover:problem:invalid",
            "title": "Bad Request",
            "status": 400,
            "detail": "Validation failed",
            "message": "Validation failed",
            "instance": "/probe/things",
            "errors": ["title: must be a string"],
            "details": [{"field": "title", "message": "must be a string", "value": 1}],
            "requestId": response.headers["x-request-id"],
        }

    @pytest.mark.parametrize(
        ("path", "status", "code"),
        [
            ("/nowhere%20%C3%A9", 404, "not_found"),
            ("/probe/crash", 500, "crash"),
            ("/probe/errors/missing", 404, "probe.thing_not_found"),
        ],
    )
    async def test_on_every_path(self, probe: httpx.AsyncClient, path: str, status: int, code: str) -> None:
        response = await probe.get(path, headers=self.ACCEPT)
        assert response.headers["content-type"] == "application/problem+json"
        body = response.json()
        assert (body["status"], body["type"]) == (status, f"urn:handover:problem:{code}")
        assert body["instance"] == path

    @pytest.mark.parametrize(
        ("accept", "media_type"),
        [
            ("application/json, application/problem+json", "application/problem+json"),
            ("application/json, application/problem+json;q=0.5", "application/json"),
            ("application/problem+json;q=0", "application/json"),
            ("*/*", "application/json"),
            ("application/problem+json; q=nonsense", "application/json"),
        ],
    )
    async def test_preference(self, probe: httpx.AsyncClient, accept: str, media_type: str) -> None:
        response = await probe.get("/nowhere", headers={"accept": accept})
        assert response.headers["content-type"] == media_type

    async def test_success_is_not_changed(self, probe: httpx.AsyncClient) -> None:
        response = await probe.get("/probe/ok", headers=self.ACCEPT)
        assert response.headers["content-type"] == "application/json"
