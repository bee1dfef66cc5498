"""The documents are the app's own, they are judged by the formats' own rules, files repeat to the byte."""

import io
import json
import zipfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, get_args

import httpx
import pytest
import yaml
from fastapi import FastAPI

from core.jobs.views import EventKind
from core.settings import Settings
from features.specs.api import describe
from features.specs.documents import verdict
from tests.fixtures.application import client_of, lifespan_of, new_app

Document = dict[str, Any]


async def loaded(client: httpx.AsyncClient, path: str) -> Document:
    response = await client.get(path)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"].partition(";")[0] == "application/yaml"
    document: Document = yaml.safe_load(response.text)
    return document


@asynccontextmanager
async def described_by(
    settings: Settings, change: Callable[[Document], None]
) -> AsyncIterator[httpx.AsyncClient]:
    """The app, publishing another document than its own."""
    app = new_app(settings)
    document = json.loads(json.dumps(app.openapi()))
    change(document)
    app.openapi_schema = document
    async with lifespan_of(app), client_of(app) as client:
        yield client


async def test_openapi_is_what_the_app_says_of_itself(client: httpx.AsyncClient) -> None:
    document = await loaded(client, "/spec/openapi.yaml")
    assert document == (await client.get("/openapi.json")).json()
    assert {"/api/items", "/api/v1/search", "/spec/openapi.yaml"} <= document["paths"].keys()


async def test_asyncapi_describes_the_stream_of_a_job(client: httpx.AsyncClient) -> None:
    document = await loaded(client, "/spec/asyncapi.yaml")
    openapi = (await client.get("/openapi.json")).json()
    channel = document["channels"]["jobEvents"]
    assert openapi["paths"][channel["address"]]["get"]["operationId"] == "follow_job"
    assert set(channel["messages"]) == {*get_args(EventKind), "dropped"}
    for kind in get_args(EventKind):
        message = document["components"]["messages"][kind]
        assert message["payload"] == {"$ref": "#/components/schemas/Job"}
    job = document["components"]["schemas"]["Job"]
    assert job["properties"].keys() == openapi["components"]["schemas"]["Job"]["properties"].keys()
    assert document["info"]["version"] == openapi["info"]["version"]


async def test_asyncapi_describes_the_stream_of_changes(client: httpx.AsyncClient) -> None:
    document = await loaded(client, "/spec/asyncapi.yaml")
    openapi = (await client.get("/openapi.json")).json()
    channel = document["channels"]["changes"]
    assert openapi["paths"][channel["address"]]["get"]["operationId"] == "follow_changes"
    assert set(channel["messages"]) == {"change", "dropped"}
    described = document["components"]["schemas"]["Change"]["properties"]
    assert described.keys() == openapi["components"]["schemas"]["Change"]["properties"].keys()


async def test_files_are_revalidated(client: httpx.AsyncClient) -> None:
    for path in ("/spec/openapi.yaml", "/spec/asyncapi.yaml", "/api/v1/docs/download", "/api/v1/docs/status"):
        first = await client.get(path)
        again = await client.get(path, headers={"If-None-Match": first.headers["etag"]})
        assert (first.status_code, again.status_code, again.content) == (200, 304, b""), path


async def test_both_documents_are_valid(client: httpx.AsyncClient) -> None:
    body = (await client.get("/api/v1/docs/status")).json()
    assert body["success"] is True
    moments = [spec.pop("lastValidatedAt") for spec in body["specs"]]
    assert all(moment.endswith("Z") and len(moment) == 24 for moment in moments)
    assert body["specs"] == [
        {"name": "openapi.yaml", "type": "openapi", "status": "valid", "issues": []},
        {"name": "asyncapi.yaml", "type": "asyncapi", "status": "valid", "issues": []},
    ]


async def test_an_invalid_openapi_document_is_said_to_be_invalid(settings: Settings) -> None:
    def spoil(document: Document) -> None:
        document["paths"]["/api/items"]["get"]["responses"] = "none"
        document["components"]["schemas"]["Job"]["properties"]["id"] = {"$ref": "#/components/schemas/Gone"}

    async with described_by(settings, spoil) as client:
        openapi, asyncapi = (await client.get("/api/v1/docs/status")).json()["specs"]
    assert openapi["status"] == "invalid"
    assert any(issue.startswith("paths./api/items.get.responses: ") for issue in openapi["issues"])
    assert any(issue.endswith("#/components/schemas/Gone leads nowhere") for issue in openapi["issues"])
    assert asyncapi["status"] == "valid"


async def test_a_path_parameter_that_is_not_declared_is_an_issue(settings: Settings) -> None:
    def spoil(document: Document) -> None:
        document["paths"]["/api/v1/jobs/{job_id}"]["get"]["parameters"] = []

    async with described_by(settings, spoil) as client:
        [openapi, _] = (await client.get("/api/v1/docs/status")).json()["specs"]
    assert openapi["status"] == "invalid"
    assert any("job_id" in issue for issue in openapi["issues"])


async def test_an_invalid_asyncapi_document_is_said_to_be_invalid(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spoilt(openapi: Document) -> Document:
        return {**describe(openapi), "operations": {"followJob": {"action": "shout"}}, "surprise": 1}

    monkeypatch.setattr("features.specs.service.describe", spoilt)
    async with described_by(settings, lambda document: None) as client:
        openapi, asyncapi = (await client.get("/api/v1/docs/status")).json()["specs"]
    assert openapi["status"] == "valid"
    assert asyncapi["status"] == "invalid"
    assert any("surprise" in issue for issue in asyncapi["issues"])
    assert any(issue.startswith("operations.followJob") for issue in asyncapi["issues"])


@pytest.mark.parametrize(
    ("change", "issue"),
    [
        ({"asyncapi": "2.6.0"}, "asyncapi: must be 3.0.0"),
        ({"info": {"title": "x"}}, "'version' is a required property"),
        ({"channels": {"jobEvents": {"address": 5}}}, "channels.jobEvents"),
        ({"components": {"schemas": {}, "messages": {}}}, "#/components/messages/state leads nowhere"),
        ({"operations": {"x": {"action": "send", "channel": {"$ref": "#/channels/none"}}}}, "leads nowhere"),
    ],
)
def test_what_is_wrong_with_an_asyncapi_document_is_told(app: FastAPI, change: Document, issue: str) -> None:
    document = describe(app.openapi())
    assert verdict.asyncapi_issues(document) == []
    assert any(issue in told for told in verdict.asyncapi_issues({**document, **change}))


def test_another_version_of_openapi_is_not_judged_by_the_wrong_rules() -> None:
    assert verdict.openapi_issues({"swagger": "2.0"}) == ["openapi: must be a version of 3.1"]


async def test_the_archive_holds_both_and_repeats_to_the_byte(
    client: httpx.AsyncClient, settings: Settings
) -> None:
    first = await client.get("/api/v1/docs/download")
    assert first.headers["content-type"] == "application/zip"
    assert "attachment" in first.headers["content-disposition"]
    async with described_by(settings, lambda document: None) as other:
        assert (await other.get("/api/v1/docs/download")).content == first.content
    with zipfile.ZipFile(io.BytesIO(first.content)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["asyncapi.yaml", "openapi.yaml"]
        for name in archive.namelist():
            assert archive.read(name) == (await client.get(f"/spec/{name}")).content


async def test_the_entrance_names_the_documents(client: httpx.AsyncClient) -> None:
    endpoints = (await client.get("/")).json()["endpoints"]
    assert endpoints["openapi"] == "/spec/openapi.yaml"
    assert endpoints["asyncapi"] == "/spec/asyncapi.yaml"
