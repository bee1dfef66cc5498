"""Routes of the service itself: `/`, `/health...`, `/metrics`."""

import re
from collections.abc import Sequence
from typing import Any, Final

from fastapi import Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool

from core.deps import Features, platform_of
from core.feature import Feature
from core.http.request.context import context_of
from core.http.request.fields import now
from core.http.routing import Route, Router
from core.observability import metrics
from features.health import service
from features.health.schemas import Endpoints, Health, Info, Live, Ready, UnhealthyBody
from features.jobs import api as jobs

SERVICE: Final = "handover"
_COLLECTION: Final = re.compile(r"/api(?:/v\d+)?/([a-z][a-z-]*)")
_DOCUMENT: Final = re.compile(r"/spec/([a-z]+)\.yaml")
_NOT_STORED: Final = {"Cache-Control": "no-store"}
_DATABASE_DOWN: Final = "The database cannot be reached"

router: Final = Router(tags=["Health"])


@router.get("/", summary="Service information", response_model=Info)
async def service_info(request: Request, features: Features) -> Info:
    """Name, version, and where everything is."""
    endpoints = Endpoints(api=_named_by(features, _COLLECTION), **_named_by(features, _DOCUMENT))
    return Info(service=SERVICE, version=request.app.version, endpoints=endpoints)


def _named_by(features: Sequence[Feature], pattern: re.Pattern[str]) -> dict[str, str]:
    """Paths that match the pattern, each under the name of its group."""
    routes = [route for feature in features if feature.router for route in feature.router.routes]
    paths = [route.path for route in routes if isinstance(route, Route)]
    return {found[1]: path for path in paths if (found := pattern.fullmatch(path))}


@router.get(
    "/health",
    summary="Health of the service and its database",
    response_model=Health,
    responses={503: {"model": UnhealthyBody, "description": _DATABASE_DOWN}},
)
async def health(request: Request) -> Response:
    """Of the service and its database; 503 when the database cannot be reached."""
    database = await service.database_health(platform_of(request))
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
    answer = await service.readiness(platform_of(request))
    return _answer(answer, 200 if answer.status == "ready" else 503)


@router.get(
    "/metrics",
    summary="Figures for Prometheus",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def prometheus_metrics(request: Request) -> Response:
    """In the text format of Prometheus, for this process or all of this server."""
    if (platform := context_of(request.scope).platform) is not None:
        await service.timed("queue", jobs.measure_queue(platform.db))
    text = await run_in_threadpool(metrics.scrape)
    return Response(text, headers={**_NOT_STORED, "Content-Type": metrics.CONTENT_TYPE})


def _answer(model: BaseModel, status: int = 200) -> Response:
    headers = dict(_NOT_STORED) if status == 200 else {**_NOT_STORED, "Retry-After": "1"}
    return JSONResponse(model.model_dump(mode="json", by_alias=True), status, headers)
