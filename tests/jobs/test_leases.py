"""Who may run a job: leases, heartbeat and fencing."""

import asyncio
from contextlib import suppress

import pytest

from core.database.client import Database
from core.errors import Unavailable
from core.jobs import JobContext, Jobs, JobView, JsonObject, LeaseLost, queries
from core.jobs.lease import pause
from tests.fixtures.transactions import transaction
from tests.fixtures.waiting import wait_for
from tests.jobs.conftest import MakeJobs
from tests.jobs.handlers import CALLER, Gate, count, expire_lease, write, written


async def test_two_processes_never_run_the_same_job(make_jobs: MakeJobs, db: Database) -> None:
    gate = Gate()
    first, second = make_jobs(gate.kind), make_jobs(gate.kind)
    job = await first.enqueue(db, "test.gate", {}, CALLER)
    runs = [asyncio.create_task(jobs.run(job.id)) for jobs in (first, second, first, second)]
    await gate.reached.wait()
    await asyncio.wait(runs, return_when=asyncio.FIRST_COMPLETED)
    gate.opened.set()
    states = {(await run).state for run in runs}
    assert states <= {"running", "succeeded"}
    assert len(gate.runs) == 1
    assert (await first.get(job.id)).attempts == 1


async def test_a_runner_that_lost_its_lease_writes_nothing_more(make_jobs: MakeJobs, db: Database) -> None:
    async def late(context: JobContext) -> JsonObject:
        await write(context, 99)
        return {"by": "the slow one"}

    slow_gate = Gate(late)
    slow = make_jobs(slow_gate.kind, lease_s=60.0, heartbeat_s=30.0)
    quick_gate = Gate(count)
    quick_gate.opened.set()
    quick = make_jobs(quick_gate.kind)
    job = await slow.enqueue(db, "test.gate", {"total": 2}, CALLER)
    slow_run = asyncio.create_task(slow.run(job.id))
    await slow_gate.reached.wait()
    await expire_lease(db, job.id)
    done = await quick.run(job.id)
    assert done.result == {"counted": 2, "from": 0}
    assert done.fencing_token == 2

    slow_gate.opened.set()
    await slow_run
    assert slow_gate.stopped_by == ["LeaseLost"]
    assert await written(db, job.id) == [0, 1], "the slow one's transaction must have been rolled back"
    after = await quick.get(job.id)
    assert (after.result, after.checkpoint, after.last_event) == (
        done.result,
        done.checkpoint,
        done.last_event,
    )


async def test_the_heartbeat_stops_a_handler_that_lost_its_lease(
    make_jobs: MakeJobs, db: Database, logs: list[dict[str, object]]
) -> None:
    gate = Gate()
    slow = make_jobs(gate.kind, heartbeat_s=0.05)
    job = await slow.enqueue(db, "test.gate", {}, CALLER)
    run = asyncio.create_task(slow.run(job.id))
    await gate.reached.wait()
    await db.execute_raw("UPDATE jobs SET fencing_token = 7 WHERE id = $1::uuid", job.id)
    left = await run
    assert gate.stopped_by == ["CancelledError"]
    assert (left.state, left.fencing_token) == ("running", 7), "the other runner's row is left alone"
    assert "job.lease_lost" in {event["event"] for event in logs}


async def test_a_runner_that_cannot_renew_in_time_stops_by_itself(
    make_jobs: MakeJobs, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unreachable(*_: object, **__: object) -> None:
        raise ConnectionError("no route to the database")

    gate = Gate()
    jobs = make_jobs(gate.kind, lease_s=0.4, heartbeat_s=0.1)
    job = await jobs.enqueue(db, "test.gate", {}, CALLER)
    monkeypatch.setattr(queries, "renew", unreachable)
    await jobs.run(job.id)
    assert gate.stopped_by == ["CancelledError"]


async def test_the_heartbeat_keeps_the_lease(make_jobs: MakeJobs, db: Database) -> None:
    gate = Gate()
    owner, other = make_jobs(gate.kind, lease_s=1.5, heartbeat_s=0.1), make_jobs(gate.kind, lease_s=1.5)
    job = await owner.enqueue(db, "test.gate", {}, CALLER)
    run = asyncio.create_task(owner.run(job.id))
    await gate.reached.wait()
    await other.start()

    async def twice_the_lease_ago() -> bool:
        rows = await db.query_raw(
            "SELECT now() > started_at + interval '2.5 seconds' AS old FROM jobs WHERE id = $1::uuid", job.id
        )
        return bool(rows[0]["old"])

    await wait_for(twice_the_lease_ago)
    gate.opened.set()
    assert (await run).fencing_token == 1
    assert len(gate.runs) == 1


async def test_a_checkpoint_is_rolled_back_with_its_transaction(make_jobs: MakeJobs, db: Database) -> None:
    async def undecided(context: JobContext) -> JsonObject:
        await write(context, 0)
        with suppress(ValueError):
            async with transaction(context.db) as tx:
                await context.checkpoint(tx, {"next": 50})
                raise ValueError
        return {}

    gate = Gate(undecided)
    gate.opened.set()
    jobs: Jobs = make_jobs(gate.kind)
    job = await jobs.run((await jobs.enqueue(db, "test.gate", {}, CALLER)).id)
    assert (job.state, job.checkpoint) == ("succeeded", {"next": 1})


async def test_every_door_of_a_lost_context_is_shut(make_jobs: MakeJobs, db: Database) -> None:
    refused: list[str] = []

    async def stubborn(context: JobContext) -> JsonObject:
        await db.execute_raw("UPDATE jobs SET fencing_token = 9 WHERE id = $1::uuid", context.job.id)
        with pytest.raises(LeaseLost):
            await context.progress(phase="load", done=1)
        refused.append("progress")
        with pytest.raises(LeaseLost):
            await context.checkpoint(db, {"next": 1})
        refused.append("checkpoint")
        with pytest.raises(LeaseLost):
            await context.raise_if_stopping()
        refused.append("raise_if_stopping")
        return {"by": "the lost one"}

    gate = Gate(stubborn)
    gate.opened.set()
    jobs = make_jobs(gate.kind, lease_s=60.0, heartbeat_s=30.0)
    job = await jobs.run((await jobs.enqueue(db, "test.gate", {}, CALLER)).id)
    assert refused == ["progress", "checkpoint", "raise_if_stopping"]
    assert (job.state, job.result, job.checkpoint, job.phase) == ("running", None, None, None)


async def test_a_retry_is_not_taken_for_a_lost_lease(
    make_jobs: MakeJobs, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The heartbeat's statement, under way with the old token, must not meet the row with the new one."""
    renewing, retried, renewed = asyncio.Event(), asyncio.Event(), asyncio.Semaphore(0)
    renew, retry = queries.renew, queries.retry

    async def slow_renew(db: Database, job_id: str, token: int, *, lease_s: float) -> JobView | None:
        renewing.set()
        await pause(retried, 0.3)
        job = await renew(db, job_id, token, lease_s=lease_s)
        if retried.is_set():
            renewed.release()
        return job

    async def seen_retry(db: Database, job_id: str, owner: str, *, lease_s: float) -> JobView | None:
        job = await retry(db, job_id, owner, lease_s=lease_s)
        retried.set()
        return job

    async def fails_once(context: JobContext) -> JsonObject:
        if context.job.fencing_token == 1:
            await renewing.wait()
            raise Unavailable("The query engine restarts")
        await renewed.acquire()
        await renewed.acquire()
        return {"token": context.job.fencing_token}

    monkeypatch.setattr(queries, "renew", slow_renew)
    monkeypatch.setattr(queries, "retry", seen_retry)
    gate = Gate(fails_once)
    gate.opened.set()
    jobs = make_jobs(gate.kind, heartbeat_s=0.05)
    job = await jobs.run((await jobs.enqueue(db, "test.gate", {}, CALLER)).id)
    assert (job.state, job.result) == ("succeeded", {"token": 2})
