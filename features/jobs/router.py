"""Routes under `/api/v1/jobs`: list, show, follow and cancel background jobs."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from typing import Annotated

from fastapi import Depends, Header, Path, Query, Request, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent

from core.deps import Actor, Db, Jobs, platform_of
from core.http.answers.envelope import Envelope, ListEnvelope, error_responses, listed
from core.http.answers.event_streams import sent, stream_content
from core.http.answers.pagination import Cursor, Limit, Offset
from core.http.request.access import is_still_let_in
from core.http.request.fields import Text
from core.http.routing import Router
from core.jobs import JobEnded, JobEventView, JobNotFound, JobState, JobView
from features.jobs import queries
from features.jobs.errors import TooManyStreams
from features.jobs.schemas import ClockedJobs, Job, show
from features.jobs.service import JobStreams, list_page

JobId = Annotated[Text, Path(description="The id that the 202 answer's Location named")]
LastEventId = Annotated[
    str,
    Header(
        alias="Last-Event-ID",
        description="The number of the last event received; whatever is none stands for the beginning",
    ),
]

router = Router(prefix="/api/v1/jobs", tags=["Jobs"])


@router.get("", summary="List jobs, newest first")
async def list_jobs(
    jobs: Jobs,
    kind: Annotated[Text | None, Query(max_length=100, description="Only jobs of this kind")] = None,
    state: Annotated[JobState | None, Query(description="Only jobs in this state")] = None,
    limit: Annotated[Limit, Query()] = 50,
    offset: Annotated[Offset, Query()] = 0,
    cursor: Annotated[Cursor | None, Query()] = None,
) -> ListEnvelope[Job]:
    """Of all kinds and states; an entry is as `GET /api/v1/jobs/{job_id}` shows it."""
    page = await list_page(
        jobs, ("jobs",), kind=kind or (), state=state, limit=limit, offset=offset, cursor=cursor
    )
    shown = [show(job, jobs.public_arguments(job)) for job in page.jobs]
    return listed(shown, total=page.total, next_cursor=page.next_cursor)


@router.get("/clock", summary="List the jobs that the clock begins, the soonest first")
async def list_clocked_jobs(db: Db, jobs: Jobs) -> ListEnvelope[ClockedJobs]:
    """Each begins at `nextAt`, once in the whole cluster."""
    every_s = {kind: round(every.total_seconds()) for kind, (every, _) in jobs.clock.kinds.items()}
    runs = await queries.next_runs(db, every_s)
    return listed(
        [ClockedJobs(kind=kind, every_seconds=every_s[kind], next_at=at) for kind, at in runs.items()]
    )


@router.get("/{job_id}", summary="Show a job", responses=error_responses(JobNotFound))
async def show_job(job_id: JobId, jobs: Jobs) -> Envelope[Job]:
    """While it runs the figures move on; `result` and `finishedAt` come with its end."""
    job = await jobs.get(job_id)
    return Envelope(data=show(job, jobs.public_arguments(job)))


@dataclass(frozen=True, slots=True)
class _Followed:
    """Followed job. `after` is the number of the last event that the client has; `done`: it has them all."""

    streams: JobStreams
    job: JobView
    after: int

    @property
    def done(self) -> bool:
        return self.job.ended and self.after >= self.job.last_event


async def _streams(request: Request) -> JobStreams:
    return platform_of(request).part(JobStreams)


async def _followed(
    job_id: JobId,
    streams: Annotated[JobStreams, Depends(_streams)],
    response: Response,
    last_event_id: LastEventId = "",
) -> AsyncIterator[_Followed]:
    """Followed job of the request. After the final event 204 stops clients from reconnecting, which a browser
    never does after an error.
    """
    async with streams.following(job_id) as job:
        after = int(last_event_id) if re.fullmatch("[0-9]{1,10}", last_event_id) else 0
        followed = _Followed(
            streams, job, 0 if after > (2**31 - 1 if job.ended else job.last_event) else after
        )
        if followed.done:
            response.status_code = 204
        yield followed


@router.get(
    "/{job_id}/events",
    summary="Follow a job's progress",
    response_class=EventSourceResponse,
    responses={
        **error_responses(JobNotFound, TooManyStreams),
        200: {
            "description": "Events whose data is the job; `dropped` ends the stream of a client that is too "
            "slow, with a number to go on after",
            "content": stream_content(Job),
        },
        204: {"description": "The job has ended, nothing is missing"},
    },
)
async def follow_job(
    request: Request, jobs: Jobs, followed: Annotated[_Followed, Depends(_followed)]
) -> AsyncIterator[ServerSentEvent]:
    """Numbered events, each with the whole job as it was then; the stream ends when the job ends.

    A client that reconnects with `Last-Event-ID` gets everything that it missed.
    """
    if followed.done:
        return
    job, arguments = followed.job, jobs.public_arguments(followed.job)
    events = followed.streams.follow(job, followed.after, partial(is_still_let_in, request.scope))

    def shown(event: JobEventView) -> tuple[str, str]:
        return event.kind, show(job.at(event.snapshot), arguments).model_dump_json()

    async for event in sent(events, followed.after, shown):
        yield event


@router.post(
    "/{job_id}/cancel",
    summary="Cancel a job",
    responses=error_responses(JobNotFound, JobEnded),
)
async def cancel_job(job_id: JobId, jobs: Jobs, actor: Actor) -> Envelope[Job]:
    """A queued job ends at once; a running one stops after its current batch. What is committed stays."""
    job = await jobs.cancel(job_id, actor)
    message = "Job cancelled" if job.ended else "Job is being cancelled"
    return Envelope(message=message, data=show(job, jobs.public_arguments(job)))
