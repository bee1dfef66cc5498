"""The queries of jobs. Functions that return None found nothing to change:
the job is not ours any more, or not in the state that the change needs."""

import json
from collections.abc import Mapping, Sequence
from typing import Final, cast

from prisma.types import JobOrderByInput, JobWhereInput

from core.database.client import Database
from core.database.transaction import retried
from core.jobs import statements
from core.jobs.views import (
    Counts,
    EventKind,
    JobEventView,
    JobPage,
    JobState,
    JobView,
    JsonObject,
    Place,
    Snapshot,
)

EVENTS_PER_READ: Final = 500


def _json(value: JsonObject | None) -> str | None:
    return None if value is None else json.dumps(value, separators=(",", ":"))


async def _change(db: Database, statement: str, *values: object) -> JobView | None:
    row = await retried(db, lambda client: client.query_first(statement, *values))
    return JobView.model_validate(row) if row else None


async def insert(
    db: Database,
    job_id: str,
    kind: str,
    arguments: JsonObject,
    *,
    exclusive_key: str | None,
    actor: str,
    request_id: str | None,
    pickup_delay_s: float,
    place: str | None,
    traceparent: str | None = None,
) -> JobView | None:
    """Insert a job; None if one with that exclusive key has not ended. The transaction stays usable."""
    stored = _json(arguments)
    return await _change(
        db,
        statements.ENQUEUE,
        job_id,
        kind,
        stored,
        exclusive_key,
        actor,
        request_id,
        pickup_delay_s,
        place,
        traceparent,
    )


async def active_job(db: Database, exclusive_key: str) -> str | None:
    """Id of the job that holds the key."""
    row = await db.job.find_unique(where={"exclusive_key": exclusive_key})
    return row.id if row else None


async def set_clocks(db: Database, every_s: Mapping[str, float]) -> None:
    """Set the next time of kinds that have none, and of those whose time was set when they were rarer."""
    await db.execute_raw(statements.SET_CLOCKS, list(every_s), list(every_s.values()))


async def clocks_due(db: Database, kinds: Sequence[str]) -> dict[str, bool]:
    """Kinds that have a next time, each with True if it has come."""
    rows = await db.query_raw(statements.CLOCKS_DUE, list(kinds))
    return {row["kind"]: row["due"] for row in rows}


async def move_clock(tx: Database, kind: str, every_s: float) -> bool:
    """Move the kind's next time on; False if another process has done so."""
    return await tx.execute_raw(statements.MOVE_CLOCK, kind, every_s) == 1


async def delete_ended(db: Database, days: int, *, kept: Sequence[str], limit: int) -> int:
    """Delete jobs that ended longer ago, with their events; returns how many."""
    return await db.execute_raw(statements.DELETE_ENDED, days, list(kept), limit)


async def claim(
    db: Database, job_id: str, kinds: Sequence[str], *, owner: str, lease_s: float, place: str | None = None
) -> JobView | None:
    return await _change(db, statements.CLAIM, owner, lease_s, list(kinds), place, job_id)


async def claim_next(
    db: Database, kinds: Sequence[str], *, owner: str, lease_s: float, place: str | None = None
) -> JobView | None:
    """Claim the job that has been without a runner for longest."""
    return await _change(db, statements.CLAIM_NEXT, owner, lease_s, list(kinds), place)


async def expire_lease(db: Database, job_id: str, dead_owner: str | None) -> JobView | None:
    """Make a job claimable; None if it has ended, or its lease is valid and not the dead owner's."""
    return await _change(db, statements.EXPIRE_LEASE, job_id, dead_owner)


async def renew(db: Database, job_id: str, token: int, *, lease_s: float) -> JobView | None:
    return await _change(db, statements.RENEW, job_id, token, lease_s)


async def retry(db: Database, job_id: str, owner: str, *, lease_s: float) -> JobView | None:
    """Begin a further attempt by the same runner, under a new token."""
    return await _change(db, statements.RETRY, job_id, owner, lease_s)


async def advance(
    db: Database,
    job_id: str,
    token: int,
    *,
    phase: str | None,
    counts: Counts,
    event: EventKind,
    rate: float | None,
    seconds_left: float | None,
) -> JobView | None:
    return await _change(
        db, statements.ADVANCE, job_id, token, phase, *counts.values, event, rate, seconds_left
    )


async def checkpoint(
    tx: Database, job_id: str, token: int, data: JsonObject, *, done: int | None, rejected: int | None
) -> JobView | None:
    """Store a checkpoint. Locks the job's row until the transaction ends, so that nobody can claim it."""
    return await _change(tx, statements.CHECKPOINT, job_id, token, _json(data), done, rejected)


async def finish(
    db: Database,
    job_id: str,
    token: int,
    state: JobState,
    *,
    result: JsonObject | None,
    error: str | None,
    counts: Counts,
) -> JobView | None:
    return await _change(db, statements.FINISH, job_id, token, state, _json(result), error, *counts.values)


async def hand_back(db: Database, job_id: str, token: int) -> JobView | None:
    return await _change(db, statements.HAND_BACK, job_id, token)


async def cancel(db: Database, job_id: str) -> JobView | None:
    return await _change(db, statements.CANCEL, job_id)


async def get(db: Database, job_id: str) -> JobView | None:
    row = await db.job.find_unique(where={"id": job_id})
    return (await _with_rates(db, [JobView.model_validate(row)]))[0] if row else None


async def page(
    db: Database, kinds: Sequence[str], state: JobState | None, limit: int | None, offset: int, after: Place
) -> JobPage:
    """Page of jobs, newest first, ties by id. No kinds are all kinds."""
    where: JobWhereInput = {"kind": {"in": list(kinds)}} if kinds else {}
    if state is not None:
        where["state"] = state
    rest: JobWhereInput = {"AND": [where]}
    if after is not None:
        rest["OR"] = [{"created_at": {"lt": after[0]}}, {"created_at": after[0], "id": {"gt": after[1]}}]
    order: list[JobOrderByInput] = [{"created_at": "desc"}, {"id": "asc"}]
    rows = await db.job.find_many(where=rest, order=order, take=limit, skip=offset)
    complete = offset == 0 and after is None and (limit is None or len(rows) < limit)
    total = len(rows) if complete else await db.job.count(where=where)
    return JobPage(await _with_rates(db, [JobView.model_validate(row) for row in rows]), total)


async def about(db: Database, kind: str, argument: str, values: Sequence[str]) -> list[JobView]:
    """Jobs of the kind whose argument is one of the values, oldest first."""
    rows = await db.query_raw(statements.ABOUT, kind, argument, list(values))
    return [JobView.model_validate(row) for row in rows]


async def _with_rates(db: Database, jobs: list[JobView]) -> list[JobView]:
    """Jobs with rate and seconds left, from the newest event of each of the few running ones."""
    running = [job for job in jobs if job.state == "running"]
    if not running:
        return jobs
    rows = await db.jobevent.find_many(
        where={"OR": [{"job_id": job.id, "sequence": job.last_event} for job in running]}
    )
    newest = {row.job_id: Snapshot.model_validate(row.data) for row in rows}
    pairs = [(job, newest.get(job.id)) for job in jobs]
    return [
        job.model_copy(update={"rate": now.rate, "seconds_left": now.seconds_left}) if now else job
        for job, now in pairs
    ]


async def events_of(db: Database, after: Mapping[str, int]) -> list[JobEventView]:
    """Events of each of these jobs after its number, its oldest first; at most EVENTS_PER_READ in all."""
    rows = await db.jobevent.find_many(
        where={"OR": [{"job_id": job_id, "sequence": {"gt": number}} for job_id, number in after.items()]},
        order=[{"job_id": "asc"}, {"sequence": "asc"}],
        take=EVENTS_PER_READ,
    )
    return [
        JobEventView(
            row.job_id, row.sequence, cast(EventKind, row.kind), Snapshot.model_validate(row.data), row.at
        )
        for row in rows
    ]
