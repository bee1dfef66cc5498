"""Routes of the service itself: `/`, `/health...`, `/metrics`. Each dependency has a check, with a time
limit.
"""

import asyncio
import time
from collections.abc import Awaitable, Mapping
from importlib.metadata import version
from typing import Any, Final, Literal, get_args

import structlog
from fastapi import Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from core.deps import platform_of
from core.http.answers.envelope import ErrorBody
from core.http.request.context import context_of
from core.http.request.fields import LEFT_OUT_IF_NONE, always_there
from core.http.request.timestamps import Timestamp, now
from core.http.routing import Router
from core.jobs.statements import WRITABLE
from core.observability import metrics
from core.platform import Platform

log = structlog.get_logger("handover.health")

TIMEOUT_S: Final = 2.0


class Check(BaseModel):
    """`latencyMs` is how long the answer took; absent when none came."""

    model_config = ConfigDict(populate_by_name=True)

    status: Literal["up", "down", "off"]
    latency_ms: float | None = Field(default=None, alias="latencyMs", **LEFT_OUT_IF_NONE)


class DatabaseHealth(BaseModel):
    """`connections` are those that the pool holds."""

    model_config = ConfigDict(populate_by_name=True, json_schema_extra=always_there("engine"))

    engine: Literal["postgres"] = "postgres"
    status: Literal["healthy", "error"]
    connections: int
    latency_ms: float | None = Field(default=None, alias="latencyMs", **LEFT_OUT_IF_NONE)


class Health(BaseModel):
    """The answers of both old services, in one."""

    model_config = ConfigDict(populate_by_name=True, json_schema_extra=always_there("dbStrategy"))

    status: Literal["healthy", "degraded"]
    service: str
    version: str
    timestamp: Timestamp
    db_strategy: Literal["postgres"] = Field(default="postgres", alias="dbStrategy")
    database: DatabaseHealth


class UnhealthyBody(Health, ErrorBody):
    """503: the health answer and the error shape at once."""

    model_config = ConfigDict(json_schema_extra=always_there("success", "dbStrategy"))


class Live(BaseModel):
    status: Literal["alive"] = "alive"


class Ready(BaseModel):
    """`draining`: the process is about to stop. Without its cache the service is slower, but ready."""

    status: Literal["ready", "not ready"]
    draining: bool
    checks: dict[Literal["database", "cache", "engine"], Check]


ENUMERATIONS: Final = {
    "DependencyStatus": Check.model_fields["status"].annotation,
    "DatabaseStatus": DatabaseHealth.model_fields["status"].annotation,
    "HealthStatus": Health.model_fields["status"].annotation,
    "Readiness": Ready.model_fields["status"].annotation,
    "Dependency": get_args(Ready.model_fields["checks"].annotation)[0],
}
"""Names in the OpenAPI document of the words that fields may have."""


async def timed(name: str, question: Awaitable[object]) -> Check:
    """Check whose question has TIMEOUT_S for its answer."""
    started = time.perf_counter()
    try:
        async with asyncio.timeout(TIMEOUT_S):
            await question
    except Exception as error:  # noqa: BLE001 - whatever goes wrong, the answer is "down"; the reason is logged
        log.warning("health.check_failed", check=name, error=type(error).__name__, reason=str(error))
        return Check(status="down")
    return Check(status="up", latency_ms=round((time.perf_counter() - started) * 1000, 2))


async def check_database(platform: Platform) -> Check:
    """Check of the database by a query that needs all of it: engine, pool, a PostgreSQL that writes."""
    return await timed("database", platform.db.query_raw(WRITABLE))


async def check_cache(platform: Platform) -> Check:
    if platform.cache.redis is None:
        return Check(status="off")
    return await timed("cache", platform.cache.ping())


async def database_health(platform: Platform) -> DatabaseHealth:
    check = await check_database(platform)
    return DatabaseHealth(
        status="healthy" if check.status == "up" else "error",
        # The engine's count may be a second old, but the query that just succeeded had a connection.
        connections=max(1, platform.db.engine_status().pool_total) if check.status == "up" else 0,
        latency_ms=check.latency_ms,
    )


async def readiness(platform: Platform) -> Ready:
    database, cache, engine = await asyncio.gather(
        check_database(platform), check_cache(platform), timed("engine", platform.db.engine.ping())
    )
    draining = platform.stopping
    ready = database.status == "up" and engine.status == "up" and not draining
    return Ready(
        status="ready" if ready else "not ready",
        draining=draining,
        checks={"database": database, "cache": cache, "engine": engine},
    )


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
