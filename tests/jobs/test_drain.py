"""A process that stops gives its jobs back."""

import asyncio

from core.database.client import Database
from core.jobs import Delays
from tests.fixtures.waiting import wait_for
from tests.jobs.conftest import MakeJobs
from tests.jobs.handlers import CALLER, Gate, count, written


async def test_stop_hands_the_job_back_for_others(make_jobs: MakeJobs, db: Database) -> None:
    leaving = make_jobs()
    job = await leaving.enqueue(db, "test.exclusive", {"total": 200}, CALLER)
    run = asyncio.create_task(leaving.run(job.id))

    async def begun() -> bool:
        return len(await written(db, job.id)) > 2

    await wait_for(begun)
    await leaving.stop()
    handed = await run
    assert (handed.state, handed.attempts, handed.error) == ("queued", 0, None)
    assert handed.checkpoint == {"next": len(await written(db, job.id))}

    staying = make_jobs()
    await staying.start()

    async def ended() -> bool:
        return (await staying.get(job.id)).ended

    await wait_for(ended)
    assert (await staying.get(job.id)).state == "succeeded"
    assert await written(db, job.id) == list(range(200))


async def test_a_draining_process_hands_back_and_claims_nothing(make_jobs: MakeJobs, db: Database) -> None:
    stopping = asyncio.Event()
    jobs = make_jobs(stopping=stopping, delays=Delays())  # nobody else takes the job
    await jobs.start()
    job = await jobs.enqueue(db, "test.count", {"total": 10_000}, CALLER)
    run = asyncio.create_task(jobs.run(job.id))

    async def begun() -> bool:
        return bool(await written(db, job.id))

    await wait_for(begun)
    stopping.set()
    assert (await run).state == "queued"
    rows = await written(db, job.id)
    assert (await jobs.run(job.id)).state == "queued"
    assert await written(db, job.id) == rows


async def test_a_handler_that_does_not_stop_is_cut_off_within_the_grace_time(
    make_jobs: MakeJobs, db: Database
) -> None:
    gate = Gate()
    jobs = make_jobs(gate.kind)
    job = await jobs.enqueue(db, "test.gate", {}, CALLER)
    run = asyncio.create_task(jobs.run(job.id))
    await gate.reached.wait()
    async with asyncio.timeout(3.0):
        await jobs.stop()
    assert gate.stopped_by == ["CancelledError"]
    handed = await run
    assert (handed.state, handed.attempts) == ("queued", 0)


async def test_the_caller_going_away_does_not_stop_the_job(make_jobs: MakeJobs, db: Database) -> None:
    gate = Gate(count)
    jobs = make_jobs(gate.kind)
    job = await jobs.enqueue(db, "test.gate", {"total": 2}, CALLER)
    run = asyncio.create_task(jobs.run(job.id))
    await gate.reached.wait()
    run.cancel()
    await asyncio.gather(run, return_exceptions=True)
    gate.opened.set()

    async def ended() -> bool:
        return (await jobs.get(job.id)).state == "succeeded"

    await wait_for(ended)
