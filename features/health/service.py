"""Health checks: one for each dependency of the service, with a time limit and its latency."""

import asyncio
import time
from collections.abc import Awaitable
from importlib.metadata import version
from typing import Final

import structlog

from core.observability.metrics import Gauge
from core.platform import Platform
from features.health.schemas import Check, DatabaseHealth, Ready

TIMEOUT_S: Final = 2.0
_BUILD: Final = Gauge("handover_build_info", "Version that runs", ["version"], multiprocess_mode="max")

log = structlog.get_logger("handover.health")


async def show_version(platform: Platform) -> None:
    _BUILD.labels(version("handover")).set(1)


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
    return await timed("database", platform.jobs.ask_database())


async def check_cache(platform: Platform) -> Check:
    if platform.cache.redis is None:
        return Check(status="off")
    return await timed("cache", platform.cache.ping())


async def database_health(platform: Platform) -> DatabaseHealth:
    check = await check_database(platform)
    return DatabaseHealth(
        status="healthy" if check.status == "up" else "error",
        # The engine's count may be a second old, but the query that just succeeded had a connection.
        connections=max(1, platform.db.engine.status.pool_total) if check.status == "up" else 0,
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
