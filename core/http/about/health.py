"""Health checks: one for each dependency of the service, with a time limit and its latency."""

import asyncio
import time
from collections.abc import Awaitable
from typing import Final, Literal, get_args

import structlog
from pydantic import BaseModel, ConfigDict, Field

from core.http.answers.envelope import ErrorBody
from core.http.request.fields import LEFT_OUT_IF_NONE, always_there
from core.http.request.timestamps import Timestamp
from core.jobs.statements import WRITABLE
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
