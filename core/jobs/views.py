"""Jobs and their events as the rest of the app sees them: frozen values, never database rows."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, JsonValue

from core.database.client import Author

JsonObject = dict[str, JsonValue]

JobState = Literal["queued", "running", "succeeded", "failed", "cancelled"]

EventKind = Literal["state", "phase", "progress", "cancel"]

ENDED: frozenset[JobState] = frozenset({"succeeded", "failed", "cancelled"})


class Snapshot(BaseModel):
    """Part of a job that changes while it runs; every event stores one."""

    model_config = ConfigDict(frozen=True)

    state: JobState
    phase: str | None
    done: int
    total: int | None
    rejected: int
    attempts: int
    cancel_requested: bool
    rate: float | None = None
    seconds_left: float | None = None
    result: JsonObject | None
    error: str | None
    started_at: datetime | None
    finished_at: datetime | None


class JobView(Snapshot):
    """Job as it was when it was read.

    `rate` is rows per second and `seconds_left` the estimate that follows from it; both only while it runs.
    `fencing_token` identifies the claim: a runner holding an older one has lost the job.
    """

    model_config = ConfigDict(from_attributes=True)

    id: str
    kind: str
    arguments: JsonObject
    checkpoint: JsonObject | None
    actor: str
    request_id: str | None
    fencing_token: int
    last_event: int
    created_at: datetime
    lease_owner: str | None
    traceparent: str | None

    @property
    def asked_by(self) -> Author:
        return Author(self.actor, self.request_id)

    @property
    def ended(self) -> bool:
        return self.state in ENDED

    def at(self, snapshot: Snapshot) -> "JobView":
        """Job as it was when that event was written."""
        return self.model_copy(update=dict(snapshot))


@dataclass(slots=True)
class Counts:
    """Newest counts of a handler; None means: as in the row."""

    done: int | None = None
    total: int | None = None
    rejected: int | None = None

    @property
    def values(self) -> tuple[int | None, int | None, int | None]:
        """Counts in the order in which the statements take them."""
        return self.done, self.total, self.rejected


@dataclass(frozen=True, slots=True)
class JobEventView:
    """Numbered event of a job; `sequence` starts at 1 and has no gaps."""

    job_id: str
    sequence: int
    kind: EventKind
    snapshot: Snapshot
    at: datetime

    @property
    def position(self) -> int:
        return self.sequence

    @property
    def final(self) -> bool:
        return self.snapshot.state in ENDED


@dataclass(frozen=True, slots=True)
class JobPage:
    """Page of jobs, newest first, and how many match in all."""

    jobs: list[JobView]
    total: int


Place = tuple[datetime, str] | None
"""Keyset position in the list of jobs: time of creation and id of the last one of the page before."""
