"""Job as clients see it. A field without a value is left out."""

from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, JsonValue
from pydantic.alias_generators import to_camel

from core.http.request.fields import Timestamp
from core.jobs import JobState, JobView, JsonObject

STREAM: Final = "/api/v1/jobs/{job_id}/events"
"""Path of a job's event stream."""


def _is_none(value: object) -> bool:
    return value is None


def _is_empty(value: object) -> bool:
    return not value


OptionalText = Annotated[str | None, Field(default=None, exclude_if=_is_none)]
OptionalCount = Annotated[int | None, Field(default=None, exclude_if=_is_none)]
OptionalNumber = Annotated[float | None, Field(default=None, exclude_if=_is_none)]
OptionalTimestamp = Annotated[Timestamp | None, Field(default=None, exclude_if=_is_none)]


class Job(BaseModel):
    """`rowsPerSecond` and `secondsLeft` are estimates; `done` and `total` belong to the `phase`."""

    model_config = ConfigDict(
        alias_generator=to_camel, validate_by_name=True, validate_by_alias=True, serialize_by_alias=True
    )

    id: str
    kind: str = Field(examples=["import.lowdb"])
    state: JobState
    phase: OptionalText
    done: int
    total: OptionalCount
    rejected: int
    rows_per_second: OptionalNumber
    seconds_left: OptionalNumber
    dry_run: Annotated[bool | None, Field(default=None, exclude_if=_is_none)]
    arguments: dict[str, JsonValue] = Field(default_factory=dict, exclude_if=_is_empty)
    attempts: int = Field(description="Runs that were begun since its newest checkpoint, or its beginning")
    cancel_requested: bool
    actor: str
    created_at: Timestamp
    started_at: OptionalTimestamp
    finished_at: OptionalTimestamp
    error: OptionalText
    result: Annotated[dict[str, JsonValue] | None, Field(default=None, exclude_if=_is_none)]


class ClockedJobs(BaseModel):
    """A kind of job that the clock begins, once in the whole cluster."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)

    kind: str = Field(examples=["files.reconcile"])
    every_seconds: int = Field(examples=[86400])
    next_at: Timestamp


def show(job: JobView, arguments: JsonObject) -> Job:
    """Job as clients see it. `arguments` are the public ones; the job's own may hold paths of the server."""
    dry_run = job.arguments.get("dryRun")
    return Job(
        id=job.id,
        kind=job.kind,
        state=job.state,
        phase=job.phase,
        done=job.done,
        total=job.total,
        rejected=job.rejected,
        rows_per_second=job.rate,
        seconds_left=job.seconds_left,
        dry_run=dry_run if isinstance(dry_run, bool) else None,
        arguments=arguments,
        attempts=job.attempts,
        cancel_requested=job.cancel_requested,
        actor=job.actor,
        created_at=job.created_at,
        started_at=job.started_at,
        finished_at=job.finished_at,
        error=job.error,
        result=job.result,
    )
