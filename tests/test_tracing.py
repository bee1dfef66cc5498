"""Traces by OpenTelemetry, exported to a collector of ours."""

import threading
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

import httpx
import pytest
import uvicorn
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from features.items.tests.factories import new_item
from tests.fixtures.servers import StartServer, free_port
from tests.fixtures.waiting import wait_for, wait_until

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"
TRACED = {"traceparent": f"00-{TRACE}-{PARENT}-01"}


class Collector:
    """Keeps the spans that it is sent, as messages of the protocol (OTLP)."""

    def __init__(self) -> None:
        self.spans: list[Any] = []
        app = Starlette(routes=[Route("/v1/traces", self._take, methods=["POST"])])
        self.url = f"http://127.0.0.1:{(port := free_port())}"
        self.server = uvicorn.Server(uvicorn.Config(app, port=port, log_config=None))

    async def _take(self, request: Request) -> Response:
        for resource in ExportTraceServiceRequest.FromString(await request.body()).resource_spans:
            service = {each.key: each.value.string_value for each in resource.resource.attributes}
            assert service["service.name"] == "handover"
            assert service["service.version"] == version("handover")
            self.spans.extend(span for scope in resource.scope_spans for span in scope.spans)
        return Response()

    def named(self, name: str, trace: str | None = None) -> Any:
        named = [span for span in self.spans if span.name == name]
        [found] = [span for span in named if trace is None or span.trace_id.hex() == trace]
        return found

    def below(self, span: Any) -> dict[str, Any]:
        return {each.name: each for each in self.spans if each.parent_span_id == span.span_id}


@pytest.fixture
def collector() -> Iterator[Collector]:
    collector = Collector()
    thread = threading.Thread(target=collector.server.run)
    thread.start()
    wait_until(lambda: collector.server.started)
    yield collector
    collector.server.should_exit = True
    thread.join()


def attributes(span: Any) -> dict[str, object]:
    return {each.key: each.value.string_value or each.value.int_value for each in span.attributes}


async def test_a_request_is_followed_to_its_statements_and_its_job(
    live_server: StartServer, collector: Collector
) -> None:
    server = await live_server({"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url})
    async with server.client() as client:
        assert (await client.post("/api/items", json=new_item(), headers=TRACED)).status_code == 201
        listed = await client.get("/api/items?limit=5")
        assert (listed.json()["count"], listed.headers["x-cache"]) == (1, "MISS")

        async def cached() -> httpx.Response | None:
            """One that has just started may load an answer twice, until it hears of other hosts' writes."""
            answer = await client.get("/api/items?limit=5")
            return answer if answer.headers["x-cache"] == "HIT" else None

        found = await wait_for(cached)
        assert found is not None
        listed = found
        await client.get("/nowhere")
        assert (await client.post("/api/v1/search/reindex", headers=TRACED)).status_code == 202
        assert (await client.get("/health/ready")).status_code == 200
    await server.stop()

    post = collector.named("POST /api/items")
    assert (post.trace_id.hex(), post.parent_span_id.hex()) == (TRACE, PARENT)
    assert attributes(post)["http.response.status_code"] == 201
    create = collector.below(post)["create Item"]
    assert attributes(create) == {
        "db.system.name": "postgresql",
        "db.operation.name": "create",
        "db.collection.name": "Item",
        "db.response.returned_rows": 1,
    }
    assert "prisma:client:operation" in collector.below(create)
    [missed, *_, hit] = [span for span in collector.spans if span.name == "GET /api/items"]
    assert attributes(hit)["http.route"] == "/api/items"
    assert attributes(hit)["handover.request_id"] == listed.headers["x-request-id"]
    read = collector.below(missed)["findMany Item"]
    assert attributes(read)["db.response.returned_rows"] == 1

    assert not [span.name for span in collector.spans if "/health" in span.name]
    asked = collector.named("POST /api/v1/search/reindex")
    job = collector.named("job search.reindex")
    assert [link.span_id for link in job.links] == [asked.span_id]
    assert job.trace_id != asked.trace_id


async def test_the_trace_of_a_request_is_its_id_in_the_trail(client: httpx.AsyncClient) -> None:
    answer = await client.post("/api/items", json=new_item(), headers=TRACED)
    assert answer.headers["x-request-id"] == TRACE
    [entry] = (await client.get(f"/api/v1/audit?request_id={TRACE}")).json()["data"]
    assert entry["entityId"] == answer.json()["data"]["id"]
    named = await client.get("/api/items", headers={**TRACED, "x-request-id": "mine"})
    assert named.headers["x-request-id"] == "mine"


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "00",
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{PARENT}-01",
        f"ff-{TRACE}-{PARENT}-01",
        f"00-{TRACE}-{PARENT}-01-x",
    ],
)
async def test_what_is_no_trace_is_no_id(client: httpx.AsyncClient, wrong: str) -> None:
    answer = await client.get("/api/items", headers={"traceparent": wrong})
    assert TRACE not in answer.headers["x-request-id"].lower()


@pytest.mark.slow
async def test_a_collector_that_does_not_answer_holds_nobody_up(live_server: StartServer) -> None:
    server = await live_server({"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{free_port()}"})
    async with server.client() as client:
        assert (await client.post("/api/items", json=new_item())).status_code == 201
        assert (await client.get("/api/items")).json()["count"] == 1
    assert await server.stop() == 0
