"""Routes of the service itself: `/`, `/health...`, `/metrics`."""

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any, Final, Literal

from fastapi import Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from core.deps import platform_of
from core.http.about.health import (
    Health,
    Live,
    Ready,
    UnhealthyBody,
    database_health,
    readiness,
    timed,
)
from core.http.request.context import context_of
from core.http.request.fields import LEFT_OUT_IF_NONE, always_there
from core.http.request.timestamps import now
from core.http.routing import Router
from core.observability import metrics

SERVICE: Final = "handover"
_NOT_STORED: Final = {"Cache-Control": "no-store"}
_DATABASE_DOWN: Final = "The database cannot be reached"

router: Final = Router(tags=["Health"])


class Endpoints(BaseModel):
    """`api` names what is mounted below the API's root."""

    model_config = ConfigDict(json_schema_extra=always_there("health", "documentation", "openapi", "metrics"))

    health: str = "/health"
    documentation: str = "/docs"
    openapi: str = "/openapi.json"
    asyncapi: str | None = Field(default=None, **LEFT_OUT_IF_NONE)
    metrics: str = "/metrics"
    api: dict[str, str]


class Info(BaseModel):
    model_config = ConfigDict(json_schema_extra=always_there("success"))

    success: Literal[True] = True
    service: str
    version: str
    endpoints: Endpoints


def service_version() -> str:
    """Version as installed."""
    return version(SERVICE)


metrics.Gauge("handover_build_info", "Version that runs", ["version"], multiprocess_mode="max").labels(
    service_version()
).set(1)


@router.get("/", summary="Service information", response_model=Info)
async def service_info(request: Request) -> Info:
    """Name, version, and where everything is."""
    documents: Mapping[str, str] = request.app.state.documents
    endpoints = Endpoints(api=request.app.state.collections, **documents)
    return Info(service=SERVICE, version=request.app.version, endpoints=endpoints)


@router.get(
    "/health",
    summary="Health of the service and its database",
    response_model=Health,
    responses={503: {"model": UnhealthyBody, "description": _DATABASE_DOWN}},
)
async def health(request: Request) -> Response:
    """Of the service and its database; 503 when the database cannot be reached."""
    database = await database_health(platform_of(request))
    facts: dict[str, Any] = {
        "service": SERVICE,
        "version": request.app.version,
        "timestamp": now(),
        "database": database,
    }
    if database.status == "healthy":
        return _answer(Health(status="healthy", **facts))
    told = {"message": _DATABASE_DOWN, "error": _DATABASE_DOWN, "errors": [_DATABASE_DOWN]}
    return _answer(UnhealthyBody(status="degraded", **facts, **told), 503)


@router.get("/health/live", summary="The process answers", response_model=Live)
async def health_live() -> Response:
    """Asks nothing else: a process that does not answer this is to be started anew."""
    return _answer(Live())


@router.get(
    "/health/ready",
    summary="Everything it needs answers",
    response_model=Ready,
    responses={503: {"model": Ready, "description": "Not ready, or about to stop"}},
)
async def health_ready(request: Request) -> Response:
    """Each of its checks with its latency; 503 until database and engine answer, and before it stops."""
    answer = await readiness(platform_of(request))
    return _answer(answer, 200 if answer.status == "ready" else 503)


@router.get(
    "/metrics",
    summary="Figures for Prometheus",
    tags=["Observability"],
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def prometheus_metrics(request: Request) -> Response:
    """In the text format of Prometheus, for this process or all of this server."""
    if (platform := context_of(request.scope).platform) is not None:
        await timed("queue", platform.jobs.measure_queue())
    text = await run_in_threadpool(metrics.scrape)
    return Response(text, headers={**_NOT_STORED, "Content-Type": metrics.CONTENT_TYPE})


def _answer(model: BaseModel, status: int = 200) -> Response:
    headers = dict(_NOT_STORED) if status == 200 else {**_NOT_STORED, "Retry-After": "1"}
    return JSONResponse(model.model_dump(mode="json", by_alias=True), status, headers)
