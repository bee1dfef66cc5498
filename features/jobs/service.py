"""Pages of jobs, and the streams of their events that a process has open."""

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Final
from uuid import UUID

from core.database.client import Database
from core.http.answers.event_streams import Reached
from core.http.answers.pagination import Scope, check_start, decode_place, encode_place, moment_of
from core.jobs import JobEventView, Jobs, JobState, JobView
from core.observability.metrics import Gauge
from core.platform import Platform
from features.changes.api import Admitted, Stream, Streams
from features.jobs import queries
from features.jobs.errors import TooManyStreams

_QUEUED: Final = Gauge("handover_jobs_queued", "Jobs that wait to be claimed", multiprocess_mode="mostrecent")
_OLDEST_QUEUED: Final = Gauge(
    "handover_jobs_oldest_queued_seconds",
    "Age of the oldest job that waits to be claimed; 0 when none does",
    multiprocess_mode="mostrecent",
)
MOST_STREAMS: Final = 500
"""Upper bound of the clients' streams in one process."""
POLL_S: Final = 0.3
_BEGIN_AT_ONCE: Final = 4


@dataclass(frozen=True, slots=True)
class JobList:
    """Page of jobs. `total` match in all; `next_cursor` is there if more follow."""

    jobs: list[JobView]
    total: int
    next_cursor: str | None


async def list_page(
    jobs: Jobs,
    scope: Scope,
    *,
    kind: str | Sequence[str],
    state: JobState | None = None,
    limit: int,
    offset: int,
    cursor: str | None,
) -> JobList:
    """Page of jobs, newest first. `scope` names the list that the cursor belongs to."""
    check_start(cursor, offset)
    after = None
    if cursor is not None:
        moment, job_id = decode_place(scope, cursor, moment_of, _id_of, issued_bare=True)
        after = moment, job_id
    # One more than asked for tells whether there is a next page.
    page = await jobs.list(kind=kind, state=state, limit=limit + 1, offset=offset, after=after)
    shown, more = page.jobs[:limit], len(page.jobs) > limit
    next_cursor = encode_place(scope, shown[-1].created_at, shown[-1].id) if more else None
    return JobList(shown, page.total, next_cursor)


def _id_of(text: str) -> str:
    return str(UUID(text))


async def measure_queue(db: Database) -> None:
    """Bring the metrics of queued jobs up to date; their age is by the clock of this process."""
    number, since = await queries.queue(db)
    _QUEUED.set(number)
    _OLDEST_QUEUED.set(0 if since is None else max(0, (datetime.now(UTC) - since).total_seconds()))


class JobStreams(Streams[JobEventView]):
    """Streams of jobs' events of one process."""

    def __init__(self, platform: Platform) -> None:
        super().__init__(platform.draining, most=MOST_STREAMS, too_many=TooManyStreams, poll_s=POLL_S)
        self._jobs = platform.jobs
        self._beginning = asyncio.Semaphore(_BEGIN_AT_ONCE)

    @asynccontextmanager
    async def following(self, job_id: str) -> AsyncIterator[JobView]:
        """Job that a client begins to follow, with a place for its stream. Raises JobNotFound and
        TooManyStreams. Many that begin at once leave connections to others.
        """
        with self.place():
            async with self._beginning:
                job = await self._jobs.get(job_id)
            yield job

    async def follow(
        self, job: JobView, after: int, admitted: Admitted
    ) -> AsyncIterator[JobEventView | Reached | None]:
        """Events after that number; ends after the final one, and as `events` does."""
        stream = Stream[JobEventView](
            wants=lambda event: event.job_id == job.id,
            stored=partial(self._jobs.events_after, job.id),
            admitted=admitted,
            topic=job.id,
            newest=job.last_event,
        )
        async for event in self.events(stream, after):
            yield event
            if isinstance(event, JobEventView) and event.final:
                return

    async def read(
        self, position: dict[str, int] | None, streams: Collection[Stream[JobEventView]]
    ) -> tuple[dict[str, int], Sequence[JobEventView]]:
        """The position is the newest number of each job that is followed."""
        known, newest = position or {}, dict[str, int]()
        for stream in streams:
            first = min(stream.newest, newest.get(stream.topic, stream.newest))
            newest[stream.topic] = known.get(stream.topic, first)
        events = await self._jobs.events_of(newest)
        return newest | {event.job_id: event.sequence for event in events}, events
