"""Routes of background jobs."""

import asyncio
from typing import Final

from starlette.responses import Response

from features.console.router.messages import ROOT, text
from features.console.router.pages import router
from features.console.router.visit import Visited, inside
from features.console.service.api_client import place

PREFIX: Final = f"{ROOT}/jobs"
API: Final = "/api/v1/jobs"


@router.get("/jobs")
async def jobs(visit: Visited) -> Response:
    state = visit.request.query_params.get("state", "")
    cursor = visit.request.query_params.get("cursor", "")
    listed, clock = await asyncio.gather(
        visit.api.get(API, state=state, cursor=cursor, limit=30),
        visit.api.get("/api/v1/jobs/clock"),
    )
    more = listed.data.get("nextCursor")
    active = any(job["state"] in ("queued", "running") for job in listed.rows)
    template = "parts/job_rows.html" if visit.by_script else "jobs.html"
    return visit.page(template, jobs=listed.rows, more=more, clock=clock.rows, state=state, active=active)


@router.get("/jobs/{job_id}")
async def job(visit: Visited, job_id: str) -> Response:
    answer = await visit.api.get(place(API, job_id))
    return visit.page("parts/job.html" if visit.by_script else "job.html", job=answer.data["data"])


@router.post("/jobs/{job_id}/cancel")
async def cancel(visit: Visited, job_id: str) -> Response:
    form = await visit.form()
    await visit.api.send("POST", place(API, job_id, "cancel"))
    return visit.go(inside(form.get("next"), PREFIX), text("jobs", "cancelling"))
