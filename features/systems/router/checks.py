"""Routes of health checks: of one system while the request waits, of all of them as a job."""

from fastapi import Response

from core.deps import Actor, AppSettings, Db, Jobs
from core.errors import Unavailable
from core.http.answers.envelope import Done, error_responses
from features.jobs.api import Job, show
from features.systems.errors import CheckAllFailed, CheckAllStopped, SystemNotFound
from features.systems.health.check import check, fetcher_of
from features.systems.health.every import check_every
from features.systems.queries import checks
from features.systems.router.path import ONE, PREFIX, SystemId, router
from features.systems.schemas import HealthCheckResult


@router.post(
    PREFIX + "/health-check-all",
    summary="Check all systems health",
    description="Answers with the results when they are there within 20 seconds, otherwise with the job that "
    "goes on; `Location` names it. A check that is under way is joined.",
    response_model=list[HealthCheckResult],
    responses={
        **error_responses(CheckAllStopped, CheckAllFailed),
        202: {"model": Done[Job], "description": "The systems are still being checked"},
    },
)
async def check_all_systems(db: Db, jobs: Jobs, actor: Actor) -> list[HealthCheckResult] | Response:
    checked = await check_every(db, jobs, actor)
    if checked.results is not None:
        return checked.results
    job = checked.job
    body = Done[Job](message="Health checks started", data=show(job, jobs.public_arguments(job)))
    headers = {"Location": f"/api/v1/jobs/{job.id}"}
    return Response(body.model_dump_json(by_alias=True), 202, headers, "application/json")


@router.post(
    ONE + "/health",
    summary="Check specific system health",
    description="Fetches the system's `url`, for 10 seconds at most, and stores what it found.",
    responses=error_responses(SystemNotFound, Unavailable),
)
async def check_system(db: Db, settings: AppSettings, actor: Actor, system_id: SystemId) -> HealthCheckResult:
    target = await checks.get_target(db, system_id)
    return await check(db, fetcher_of(settings), actor, target)
