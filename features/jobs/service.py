"""Pages of jobs."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from core.http.answers.pagination import Scope, check_start, decode_place, encode_place, moment_of
from core.jobs import Jobs, JobState, JobView


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
