"""Routes of the overview: whether everything is well, plots of the moment, and what runs."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any, Final

from fastapi import Request
from fastapi.sse import EventSourceResponse, ServerSentEvent
from starlette.responses import Response

from core.deps import platform_of
from features.console.errors import KeyEnded
from features.console.router.messages import text
from features.console.router.pages import router
from features.console.router.visit import Visited
from features.console.service.figures import figures_of

EVERY_S: Final = 2.0
RECONNECT_MS: Final = 3000


@router.get("")
async def overview(visit: Visited) -> Response:
    health = await _health(visit)
    # What the database would have to tell waits for it.
    down = health["checks"]["database"]["status"] == "down"
    running = None if down or not visit.may("admin") else await _running(visit)
    counts = {} if down else await _counts(visit)
    template = "parts/state.html" if visit.by_script else "overview.html"
    return visit.page(template, health=health, running=running, counts=counts)


@router.get("/figures", response_class=EventSourceResponse)
async def figures(request: Request, visit: Visited) -> AsyncIterator[ServerSentEvent]:
    """The figures every EVERY_S, until the page or the service closes, or the key is not valid any more."""
    draining = platform_of(request).draining
    while not draining.is_set():
        try:
            answer = await visit.api.call("GET", "/metrics", port=visit.settings.admin_port)
        except KeyEnded:
            return
        if answer.status != 200:
            return
        found = figures_of(answer.body.decode())
        yield ServerSentEvent(raw_data=found.model_dump_json(), event="figures", retry=RECONNECT_MS)
        with suppress(TimeoutError):
            async with asyncio.timeout(EVERY_S):
                await draining.wait()


async def _health(visit: Visited) -> dict[str, Any]:
    """State of each part, and in words what is wrong."""
    answer = await visit.api.call("GET", "/health/ready")
    checks: dict[str, Any] = answer.data["checks"]
    wrong = [text("health", "down", name) for name, check in checks.items() if check["status"] == "down"]
    wrong += [text("health", "draining")] if answer.data["draining"] else []
    return {"wrong": wrong, "checks": checks, "draining": answer.data["draining"]}


async def _running(visit: Visited) -> list[dict[str, Any]]:
    """Jobs that have not ended, the newest first."""
    running, queued = await asyncio.gather(
        visit.api.get("/api/v1/jobs", state="running", limit=5),
        visit.api.get("/api/v1/jobs", state="queued", limit=5),
    )
    return [*running.rows, *queued.rows]


async def _counts(visit: Visited) -> dict[str, int]:
    """Number of rows of each list. While the database is down there is nothing to count."""
    lists = {
        "ideas": "/api/v1/ideas",
        "items": "/api/items",
        "systems": "/api/v1/systems",
        "files": "/api/v1/files",
    }
    answers = await asyncio.gather(
        *(visit.api.call("GET", path, query={"limit": 1}) for path in lists.values())
    )
    return {
        name: answer.data.get("total", len(answer.rows))
        for name, answer in zip(lists, answers, strict=True)
        if answer.status == 200 and isinstance(answer.data, dict)
    }
