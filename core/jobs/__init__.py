"""Durable background jobs: a row in PostgreSQL with lease, fencing token, checkpoint and numbered events.

A job runs as a task of the event loop in the process that enqueued it; when that process dies, another one
takes the job over once its lease has run out, and goes on from the checkpoint.
"""

from core.jobs.context import Describe, JobContext
from core.jobs.errors import (
    JobCancelled,
    JobConflict,
    JobEnded,
    JobFailed,
    JobInterrupted,
    JobNotFound,
    JobStopped,
    LeaseLost,
)
from core.jobs.kinds import JobKind
from core.jobs.lease import Delays
from core.jobs.service import Jobs
from core.jobs.views import JobEventView, JobPage, JobState, JobView, JsonObject
