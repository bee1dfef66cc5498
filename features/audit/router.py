"""Routes under `/api/v1/audit`: list entries, begin retention."""

from typing import Annotated, Final

from fastapi import BackgroundTasks, Query, Response

from core.deps import Actor, AppSettings, Db, Jobs
from core.errors import Invalid, Unavailable
from core.http.answers.envelope import Envelope, ListEnvelope, error_responses
from core.http.routing import STRICT, Router
from core.jobs import JobConflict
from features.audit import service
from features.audit.schemas import COUNTED_AT_MOST, AuditQuery, AuditRecord
from features.jobs.api import Job, show

PREFIX: Final = "/api/v1/audit"

router = Router(tags=["Audit"])


@router.get(
    PREFIX,
    summary="List audit entries",
    description="Newest first. `total` is the number that match, and left out when that is more than "
    f"{COUNTED_AT_MOST}; a page costs the same however long the trail is.",
    responses=error_responses(Invalid, Unavailable),
)
async def list_audit_entries(db: Db, query: Annotated[AuditQuery, Query()]) -> ListEnvelope[AuditRecord]:
    return await service.list_entries(db, query)


@router.post(
    PREFIX + "/retention",
    status_code=202,
    dependencies=STRICT,
    summary="Delete old audit entries",
    responses=error_responses(JobConflict, Unavailable),
)
async def begin_audit_retention(
    response: Response,
    background_tasks: BackgroundTasks,
    db: Db,
    jobs: Jobs,
    settings: AppSettings,
    actor: Actor,
) -> Envelope[Job]:
    """Deletes the entries that are older than `AUDIT_RETENTION_DAYS`, in the background; follow the job that
    `Location` names. With 0 days, the default, everything is kept.
    """
    job = await service.begin_retention(db, jobs, settings, actor)
    background_tasks.add_task(jobs.run_after_answer, job.id)
    response.headers["Location"] = f"/api/v1/jobs/{job.id}"
    return Envelope(message="Retention accepted", data=show(job, jobs.public_arguments(job)))
