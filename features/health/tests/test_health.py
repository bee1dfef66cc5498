"""Routes of the service itself, on the whole app."""

import asyncio
import re
from importlib.metadata import version
from typing import TYPE_CHECKING

import httpx

from core.errors import Unavailable
from features.jobs import api as jobs

if TYPE_CHECKING:
    import pytest
    from fastapi import FastAPI

    from tests.fixtures.application import RunningApp
    from tests.fixtures.database import Connection

ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


class TestInfo:
    async def test_names_what_is_mounted(self, client: httpx.AsyncClient) -> None:
        body = (await client.get("/")).json()
        assert body["success"] is True
        assert body["service"] == "handover"
        assert re.fullmatch(r"\d+\.\d+\.\d+", body["version"])
        assert body["endpoints"]["health"] == "/health"
        assert body["endpoints"]["documentation"] == "/docs"
        assert body["endpoints"]["api"]["items"] == "/api/items"

    async def test_every_collection_is_named(self, client: httpx.AsyncClient) -> None:
        named = (await client.get("/")).json()["endpoints"]["api"]
        paths = (await client.get("/openapi.json")).json()["paths"]
        assert set(named.values()) == {path for path in paths if re.fullmatch(r"/api(/v1)?/[a-z-]+", path)}
        assert {"exports", "keys"} <= set(named)

    async def test_everything_that_it_names_answers(self, client: httpx.AsyncClient) -> None:
        endpoints = (await client.get("/")).json()["endpoints"]
        paths = [value for name, value in endpoints.items() if name != "api"] + list(
            endpoints["api"].values()
        )
        for path in paths:
            status = (await client.get(path, params={"q": "words"})).status_code
            assert status == {"/api/v1/exports": 405, "/api/v1/keys": 403}.get(path, 200), path


class TestHealth:
    async def test_both_contracts_at_once(self, client: httpx.AsyncClient) -> None:
        response = await client.get("/health")
        body = response.json()
        assert response.status_code == 200
        assert ISO.fullmatch(body.pop("timestamp"))
        database = body.pop("database")
        assert database.pop("connections") >= 1
        assert database.pop("latencyMs") > 0
        assert database == {"engine": "postgres", "status": "healthy"}
        assert body.pop("version")
        assert body == {"status": "healthy", "service": "handover", "dbStrategy": "postgres"}

    async def test_database_down(
        self, client: httpx.AsyncClient, app: "FastAPI", monkeypatch: "pytest.MonkeyPatch"
    ) -> None:
        async def fail(*arguments: object, **options: object) -> None:
            raise Unavailable("connection to 10.1.2.3 refused")

        monkeypatch.setattr(app.state.platform.db, "query_raw", fail)
        response = await client.get("/health")
        body = response.json()
        assert response.status_code == 503
        assert response.headers["retry-after"]
        assert body["status"] == "degraded"
        assert body["error"] == body["message"] == "The database cannot be reached"
        assert body["success"] is False
        assert body["database"] == {"engine": "postgres", "status": "error", "connections": 0}
        assert "10.1.2.3" not in response.text
        assert (await client.get("/health/ready")).status_code == 503
        assert (await client.get("/health/live")).json() == {"status": "alive"}

    async def test_a_database_that_hangs_is_down(
        self, client: httpx.AsyncClient, app: "FastAPI", monkeypatch: "pytest.MonkeyPatch"
    ) -> None:
        async def hang(*arguments: object, **options: object) -> None:
            await asyncio.Event().wait()

        monkeypatch.setattr("features.health.service.TIMEOUT_S", 0.05)
        monkeypatch.setattr(app.state.platform.db, "query_raw", hang)
        assert (await client.get("/health")).status_code == 503

    async def test_ready_tells_of_each_with_its_latency(self, client: httpx.AsyncClient) -> None:
        body = (await client.get("/health/ready")).json()
        assert body["status"] == "ready"
        assert body["draining"] is False
        assert set(body["checks"]) == {"database", "cache", "engine"}
        for check in body["checks"].values():
            assert check["status"] == "up"
            assert check["latencyMs"] > 0

    async def test_ready_without_redis(self, running_app: "RunningApp") -> None:
        async with running_app(redis_url="memory") as client:
            body = (await client.get("/health/ready")).json()
        assert body["status"] == "ready"
        assert body["checks"]["cache"] == {"status": "off"}

    async def test_ready_when_redis_is_gone(self, running_app: "RunningApp") -> None:
        async with running_app(redis_url="redis://127.0.0.1:1/0") as client:
            response = await client.get("/health/ready")
        assert response.status_code == 200
        assert response.json()["checks"]["cache"] == {"status": "down"}


class TestDraining:
    async def test_new_work_is_refused_and_probes_answer(self, running_app: "RunningApp") -> None:
        async with running_app() as client:
            application: FastAPI = client._transport.app  # type: ignore[attr-defined]
            application.state.platform.draining.set()
            response = await client.get("/api/items")
            assert response.status_code == 503
            assert response.json()["message"] == "The server is shutting down"
            assert response.headers["retry-after"]
            assert response.headers["connection"] == "close"
            ready = await client.get("/health/ready")
            assert (ready.status_code, ready.json()["draining"]) == (503, True)
            assert (await client.get("/health/live")).status_code == 200
            assert (await client.get("/metrics")).status_code == 200


class TestMetrics:
    async def test_text_for_prometheus(self, client: httpx.AsyncClient) -> None:
        await client.get("/")
        response = await client.get("/metrics")
        assert response.headers["content-type"].startswith("text/plain; version=")
        assert 'tradingsystem_http_requests_total{method="GET",route="/",status="200"}' in response.text
        assert "process_resident_memory_bytes" in response.text

    async def test_the_version_and_what_waits_are_told(
        self, client: httpx.AsyncClient, connection: "Connection"
    ) -> None:
        assert "handover_jobs_oldest_queued_seconds 0.0\n" in (await client.get("/metrics")).text
        await connection.execute(
            "INSERT INTO jobs (id, kind, arguments, created_at, actor) "
            "SELECT gen_random_uuid(), 'of.another', '{}', now() - make_interval(mins => age), 'a' "
            "FROM generate_series(1, 3) AS age"
        )
        text = (await client.get("/metrics")).text
        assert f'handover_build_info{{version="{version("handover")}"}} 1.0\n' in text
        assert "handover_jobs_queued 3.0\n" in text
        [age] = re.findall(r"^handover_jobs_oldest_queued_seconds (\S+)$", text, re.MULTILINE)
        assert 180 <= float(age) < 240

    async def test_metrics_are_told_without_a_database(
        self, client: httpx.AsyncClient, monkeypatch: "pytest.MonkeyPatch"
    ) -> None:
        async def broken(*_: object) -> None:
            raise Unavailable("The database cannot be reached")

        monkeypatch.setattr(jobs, "measure_queue", broken)
        assert (await client.get("/metrics")).status_code == 200


class TestDocs:
    async def test_page_works_offline(self, client: httpx.AsyncClient) -> None:
        page = await client.get("/docs")
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assets = re.findall(r'(?:src|href)="([^"]+)"', page.text)
        assert len(assets) == 4
        for asset in assets:
            assert asset.startswith("/docs/")
            response = await client.get(asset)
            assert response.status_code == 200
            assert response.content
            again = await client.get(asset, headers={"if-none-match": response.headers["etag"]})
            assert again.status_code == 304

    async def test_policy_forbids_everything_from_elsewhere(self, client: httpx.AsyncClient) -> None:
        policy = (await client.get("/docs")).headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self';" in policy
        assert "http" not in policy

    async def test_other_files_of_the_package_are_not_served(self, client: httpx.AsyncClient) -> None:
        for name in ("redoc.standalone.js", "..%2Fcore.py", "../core.py"):
            assert (await client.get(f"/docs/{name}")).status_code == 404

    async def test_openapi_document(self, client: httpx.AsyncClient) -> None:
        response = await client.get("/openapi.json")
        document = response.json()
        assert document["openapi"].startswith("3.1")
        assert "422" not in response.text
        assert "HTTPValidationError" not in response.text
        operations = [operation for path in document["paths"].values() for operation in path.values()]
        ids = [operation["operationId"] for operation in operations]
        assert len(ids) == len(set(ids))
        known_tags = {tag["name"] for tag in document["tags"]}
        silent = [tag["name"] for tag in document["tags"] if not tag["description"]]
        assert not silent, f"features/*/feature.py: give a `description` for {silent}"
        for operation in operations:
            assert operation["summary"]
            assert set(operation["tags"]) <= known_tags
            assert "500" in operation["responses"]

    async def test_every_error_is_documented_in_the_one_shape(self, client: httpx.AsyncClient) -> None:
        document = (await client.get("/openapi.json")).json()
        for path, operations in document["paths"].items():
            for operation in operations.values():
                for status, response in operation["responses"].items():
                    if int(status) < 400 or path.startswith("/health"):
                        continue
                    if "$ref" in response:
                        response = document["components"]["responses"][response["$ref"].rpartition("/")[2]]
                    schema = response["content"]["application/json"]["schema"]
                    assert schema == {"$ref": "#/components/schemas/ErrorBody"}, (path, status)
