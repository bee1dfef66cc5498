"""`/api/v1/jobs`: see what runs in the background, follow it, stop it."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Path, Query, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent

from core.deps import Jobs
from core.http.envelope import Envelope, ListEnvelope, error_responses, listed
from core.http.pagination import Limit, Offset
from core.http.text import Text
from core.jobs import JobEnded, JobNotFound, JobState, JobView
from features.jobs.schemas import Job, show

RECONNECT_MS = 1000

JobId = Annotated[Text, Path(description="The id that the 202 answer's Location named")]
LastEvent = Annotated[
    int,
    Header(alias="Last-Event-ID", ge=0, le=2**31 - 1, description="The number of the last event received"),
]

router = APIRouter(prefix="/api/v1/jobs", tags=["Jobs"])


@router.get("", summary="List jobs, newest first")
async def list_jobs(
    jobs: Jobs,
    kind: Annotated[Text | None, Query(max_length=100, description="Only jobs of this kind")] = None,
    state: Annotated[JobState | None, Query(description="Only jobs in this state")] = None,
    limit: Annotated[Limit, Query()] = 50,
    offset: Annotated[Offset, Query()] = 0,
) -> ListEnvelope[Job]:
    page = await jobs.list(kind=kind, state=state, limit=limit, offset=offset)
    return listed([show(job, jobs.public_arguments(job)) for job in page.jobs], total=page.total)


@router.get("/{job_id}", summary="Show a job", responses=error_responses(JobNotFound))
async def show_job(job_id: JobId, jobs: Jobs) -> Envelope[Job]:
    job = await jobs.get(job_id)
    return Envelope(data=show(job, jobs.public_arguments(job)))


async def _followed(job_id: JobId, jobs: Jobs, response: Response, last_event: LastEvent = 0) -> JobView:
    """The job to follow. After its final event 204 tells clients not to reconnect."""
    job = await jobs.get(job_id)
    if job.ended and last_event >= job.last_event:
        response.status_code = 204
    return job


@router.get(
    "/{job_id}/events",
    summary="Follow a job's progress",
    response_class=EventSourceResponse,
    responses={
        **error_responses(JobNotFound),
        204: {"description": "The job has ended, nothing is missing"},
    },
)
async def follow_job(
    job: Annotated[JobView, Depends(_followed)], jobs: Jobs, last_event: LastEvent = 0
) -> AsyncIterator[ServerSentEvent]:
    """Numbered events, each with the whole job as it was then; the stream ends when the job ends.

    A client that reconnects with `Last-Event-ID` gets everything that it missed.
    """
    if job.ended and last_event >= job.last_event:
        return
    arguments = jobs.public_arguments(job)
    async for event in jobs.follow(job.id, last_event):
        body = show(job.at(event.snapshot), arguments)
        yield ServerSentEvent(
            raw_data=body.model_dump_json(), id=str(event.sequence), event=event.kind, retry=RECONNECT_MS
        )


@router.post(
    "/{job_id}/cancel",
    summary="Cancel a job",
    responses=error_responses(JobNotFound, JobEnded),
)
async def cancel_job(job_id: JobId, jobs: Jobs) -> Envelope[Job]:
    """A queued job ends at once; a running one stops after its current batch. What is committed stays."""
    job = await jobs.cancel(job_id)
    message = "Job cancelled" if job.ended else "Job is being cancelled"
    return Envelope(message=message, data=show(job, jobs.public_arguments(job)))
