"""Clocks jump: of the machines that run jobs, and of the database, which alone decides about leases."""

import asyncio
import datetime as datetimes
import time

import pytest

from core.database.client import Database
from core.jobs import Jobs, queries
from tests.fixtures.waiting import wait_for
from tests.jobs.conftest import MakeJobs
from tests.jobs.handlers import CALLER, COUNT, Gate, count, written

DAY_S = 86_400.0
LEASE_S = 1.0


async def lease_of(db: Database, job_id: str) -> float:
    """When it ends, in seconds since 1970."""
    [row] = await db.query_raw(
        "SELECT extract(epoch FROM lease_expires_at)::float8 AS ends FROM jobs WHERE id = $1::uuid", job_id
    )
    return float(row["ends"])


@pytest.mark.parametrize("jump_s", [-DAY_S, DAY_S])
async def test_the_clock_of_a_machine_has_no_say(
    make_jobs: MakeJobs,
    db: Database,
    monkeypatch: pytest.MonkeyPatch,
    jump_s: float,
) -> None:
    """A job runs through while its machine's clock is a day off, and nobody else takes it."""
    gate = Gate(count)
    running, other = make_jobs(gate.kind, lease_s=LEASE_S), make_jobs(gate.kind, lease_s=LEASE_S)
    job = await running.enqueue(db, "test.gate", {"total": 5}, CALLER)
    run = asyncio.create_task(running.run(job.id))
    await gate.reached.wait()

    class Jumped(datetimes.datetime):
        @classmethod
        def now(cls, tz: datetimes.tzinfo | None = None) -> "Jumped":
            return super().now(tz) + datetimes.timedelta(seconds=jump_s)

    wall_clock = time.time
    monkeypatch.setattr(time, "time", lambda: wall_clock() + jump_s)
    monkeypatch.setattr(datetimes, "datetime", Jumped)
    await other.start()
    first_lease = await lease_of(db, job.id)

    async def outlived() -> bool:
        return await lease_of(db, job.id) > first_lease + LEASE_S

    await wait_for(outlived)
    gate.opened.set()
    done = await run
    assert (done.state, done.attempts, done.fencing_token) == ("succeeded", 1, 1)
    assert await written(db, job.id) == [0, 1, 2, 3, 4]


async def jump_of_the_database(db: Database, seconds: float) -> None:
    """Seen from the database's new time, every lease lies that much earlier."""
    await db.execute_raw(
        "UPDATE jobs SET lease_expires_at = lease_expires_at - make_interval(secs => $1::float8)", seconds
    )


@pytest.mark.parametrize("jump_s", [-DAY_S, DAY_S], ids=["back", "forward"])
async def test_a_jump_of_the_database_takes_a_dead_process_job_over(
    make_jobs: MakeJobs, db: Database, jump_s: float
) -> None:
    """Set back a day, it must not wait for a lease that ends tomorrow."""
    dead = make_jobs()
    job = await dead.enqueue(db, "test.count", {"total": 3}, CALLER)
    assert await queries.claim(db, job.id, [COUNT.kind], owner="dead", lease_s=30.0) is not None
    await jump_of_the_database(db, jump_s)
    heir = make_jobs()
    await heir.start()
    assert await wait_for(lambda: _succeeded(heir, job.id))
    assert await written(db, job.id) == [0, 1, 2]


async def test_a_jump_forward_while_a_job_runs_writes_nothing_twice(
    make_jobs: MakeJobs, db: Database
) -> None:
    gate, other_gate = Gate(count), Gate(count)
    other_gate.opened.set()
    first, second = make_jobs(gate.kind, lease_s=60.0, heartbeat_s=30.0), make_jobs(other_gate.kind)
    job = await first.enqueue(db, "test.gate", {"total": 4}, CALLER)
    run = asyncio.create_task(first.run(job.id))
    await gate.reached.wait()
    await jump_of_the_database(db, DAY_S)
    await second.start()
    assert await wait_for(lambda: _succeeded(second, job.id))
    gate.opened.set()
    await run
    assert await written(db, job.id) == [0, 1, 2, 3]


async def _succeeded(jobs: Jobs, job_id: str) -> bool:
    return (await jobs.get(job_id)).state == "succeeded"
