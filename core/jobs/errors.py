"""Errors of jobs.

JobNotFound, JobConflict, JobEnded    answers to a caller (404, 409, 409)
JobFailed                             a handler gives up, with a sentence for people
JobStopped                            a handler must stop; never caught by handlers
  JobCancelled                          somebody asked for it
  JobInterrupted                        this process shuts down; the job goes on elsewhere
  LeaseLost                             somebody else runs the job now: touch nothing any more
"""

from uuid import UUID

from core.errors import Conflict, NotFound
from core.jobs.views import JobState, JsonObject


class JobNotFound(NotFound, code="jobs.not_found"):
    def __init__(self, job_id: str) -> None:
        super().__init__(f"Job with id {job_id} not found")


class JobConflict(Conflict, code="jobs.conflict"):
    """A job that excludes this kind is queued or running; `job_id` is that one."""

    def __init__(self, kind: str, job_id: str) -> None:
        super().__init__(
            f"Job {job_id} has not ended yet, and {kind} cannot run beside it; only one can run at a time"
        )
        self.job_id = job_id


class JobEnded(Conflict, code="jobs.ended"):
    def __init__(self, job_id: str, state: JobState) -> None:
        super().__init__(f"Job {job_id} has already {state} and cannot be cancelled")


class JobFailed(Exception):
    """Raised by a handler: the job fails with this sentence, and with a result if there is one."""

    def __init__(self, message: str, *, result: JsonObject | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.result = result


class JobStopped(Exception):
    """The handler must return; let it pass."""


class JobCancelled(JobStopped):
    """The job was cancelled."""


class JobInterrupted(JobStopped):
    """The process shuts down: the lease is released and the job queued again, at its checkpoint."""


class LeaseLost(JobStopped):
    """The fencing token is no longer ours; the open transaction must be rolled back."""


def job_id_of(text: str) -> str:
    """Job id of a text in a request. Raises JobNotFound for what cannot be one."""
    try:
        return str(UUID(text))
    except ValueError:
        raise JobNotFound(text) from None
