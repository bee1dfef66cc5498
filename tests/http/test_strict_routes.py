"""Requests that begin work are refused for whatever they say that would not be heard."""

import re
from typing import Any, Final

import httpx
import pytest

from features.items.tests.factories import new_item
from tests.fixtures.document import document

PUBLISHED: Final = "/api/v1/systems/health-check-all"
PATHS: Final = [
    re.sub("{[^}]*}", "00000000-0000-4000-8000-000000000000", path)
    for path, methods in document()["paths"].items()
    if path != PUBLISHED and ("202" in methods.get("post", {}).get("responses", ()) or "redeliver" in path)
]
FORMS: Final = {"/api/v1/imports", "/api/v1/imports/verify"}


async def jobs_of(client: httpx.AsyncClient) -> int:
    return int((await client.get("/api/v1/jobs")).json()["count"])


async def refused(client: httpx.AsyncClient, path: str, **request: Any) -> dict[str, str]:
    """What is said of each wrong field."""
    before = await jobs_of(client)
    response = await client.post(path, **request)
    assert response.status_code == 400, response.text
    assert await jobs_of(client) == before
    return {each["field"]: each["message"] for each in response.json()["details"]}


@pytest.mark.parametrize("path", PATHS)
async def test_an_unknown_parameter_begins_nothing(client: httpx.AsyncClient, path: str) -> None:
    query = {"dryrun": "true", "keep-changed": "1", "DRYRUN": ""}
    request = {"data": {"source": "lowdb"}, "files": {"file": ("a.json", b"[]")}} if path in FORMS else {}
    said = await refused(client, path, params=query, **request)
    assert said == dict.fromkeys(query, "is not a known parameter; correct or remove it")


@pytest.mark.parametrize("path", sorted(FORMS))
async def test_a_field_of_the_form_is_not_one_of_the_query(client: httpx.AsyncClient, path: str) -> None:
    query = {"source": "lowdb", **({} if "verify" in path else {"dry_run": "true", "onConflict": "skip"})}
    request = {"data": {"source": "lowdb"}, "files": {"file": ("a.json", b"[]")}}
    said = await refused(client, path, params=query, **request)
    assert said == dict.fromkeys(query, "is a field of the form, not a parameter of the query: send it there")


@pytest.mark.parametrize("path", sorted(set(PATHS) - FORMS))
async def test_a_body_that_nobody_reads_begins_nothing(client: httpx.AsyncClient, path: str) -> None:
    bodies: list[dict[str, Any]] = [{"json": {"dryRun": True}}, {"data": {"form": "csv"}}, {"content": b"x"}]
    for body in bodies:
        assert list(await refused(client, path, **body)) == ["body"]


@pytest.mark.parametrize("content", [b"", b"{}", b" null "])
async def test_a_body_without_a_value_is_none(client: httpx.AsyncClient, content: bytes) -> None:
    headers = {"content-type": "application/json"}
    response = await client.post("/api/v1/search/reindex", content=content, headers=headers)
    assert response.status_code == 202, response.text


async def test_both_spellings_of_an_undo_are_known(client: httpx.AsyncClient) -> None:
    for query in ({"keepChanged": "1", "dryRun": "1"}, {"keep_changed": "1", "dry_run": "1"}):
        response = await client.post(f"/api/v1/imports/{'0' * 8}/undo", params=query)
        assert response.status_code == 404, response.text
    operation = document()["paths"]["/api/v1/imports/{job_id}/undo"]["post"]
    shown = [each["name"] for each in operation["parameters"] if each["in"] == "query"]
    assert shown == ["keepChanged", "dryRun"]


async def test_published_routes_pass_by_what_they_do_not_know(client: httpx.AsyncClient) -> None:
    created = await client.post("/api/items", params={"dryrun": "true"}, json=new_item())
    assert created.status_code == 201, created.text
    assert (await client.post(PUBLISHED, params={"dryrun": "true"})).status_code == 200
