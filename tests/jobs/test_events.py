"""Progress events: numbered without gaps, replayable, throttled."""

import asyncio

import pytest

from core.database.client import Database
from core.jobs import JobContext, JobEventView, JobKind, Jobs, JsonObject, queries
from core.jobs.context import Meter
from core.jobs.views import Counts
from tests.fixtures.waiting import PATIENCE_S, wait_for
from tests.jobs.conftest import MakeJobs
from tests.jobs.handlers import CALLER, COUNT, Gate


async def collect(jobs: Jobs, job_id: str, after: int = 0) -> list[JobEventView]:
    async with asyncio.timeout(10):
        return [event async for event in jobs.follow(job_id, after)]


async def test_events_tell_the_whole_story(jobs: Jobs, db: Database) -> None:
    job = await jobs.run((await jobs.enqueue(db, "test.count", {"total": 2}, CALLER)).id)
    events = await collect(jobs, job.id)
    assert [event.sequence for event in events] == list(range(1, job.last_event + 1))
    assert [event.snapshot.state for event in events if event.kind == "state"] == [
        "queued",
        "running",
        "succeeded",
    ]
    assert [event.snapshot.phase for event in events if event.kind == "phase"] == ["load"]
    last = events[-1]
    assert last.final
    assert (last.snapshot.done, last.snapshot.total) == (2, 2)
    assert last.snapshot.result == {"counted": 2, "from": 0}
    assert last.snapshot.finished_at == job.finished_at
    assert job.at(last.snapshot) == job


async def test_followers_get_every_event_once_and_then_the_end(make_jobs: MakeJobs, db: Database) -> None:
    gate = Gate()
    jobs = make_jobs(gate.kind)
    job = await jobs.enqueue(db, "test.gate", {}, CALLER)
    early = asyncio.create_task(collect(jobs, job.id))
    run = asyncio.create_task(jobs.run(job.id))
    await gate.reached.wait()
    late = asyncio.create_task(collect(jobs, job.id, after=1))
    gate.opened.set()
    await run
    assert [event.sequence for event in await early] == [1, 2, 3]
    assert [event.sequence for event in await late] == [2, 3]


async def test_a_follower_ends_when_the_process_stops(make_jobs: MakeJobs, db: Database) -> None:
    stopping = asyncio.Event()
    jobs = make_jobs(stopping=stopping)
    job = await jobs.enqueue(db, "test.count", {"total": 1}, CALLER)
    stream = jobs.follow(job.id)
    assert (await anext(stream)).sequence == 1
    stopping.set()
    async with asyncio.timeout(PATIENCE_S):
        assert [event async for event in stream] == []


async def test_numbers_have_no_gaps_when_many_write_at_once(jobs: Jobs, db: Database) -> None:
    job = await jobs.enqueue(db, "test.count", {"total": 1}, CALLER)
    claimed = await queries.claim(db, job.id, [COUNT.kind], owner="me", lease_s=30.0)
    assert claimed is not None

    async def advance(done: int) -> None:
        changed = await queries.advance(
            db,
            job.id,
            claimed.fencing_token,
            phase="load",
            counts=Counts(done=done),
            event="progress",
            rate=None,
            seconds_left=None,
        )
        assert changed is not None

    await asyncio.gather(*(advance(done) for done in range(40)))
    events = await jobs.events_after(job.id, 0)
    assert [event.sequence for event in events] == list(range(1, 43))
    assert {event.snapshot.done for event in events[2:]} == set(range(40))


async def test_progress_is_throttled_but_its_end_is_exact(make_jobs: MakeJobs, db: Database) -> None:
    async def chatty(context: JobContext) -> JsonObject:
        await context.progress(phase="load", total=500)
        for done in range(1, 501):
            await context.progress(done=done, rejected=done // 100)
        await context.progress(phase="verify")
        return {}

    jobs = make_jobs(JobKind("test.chatty", chatty))
    job = await jobs.run((await jobs.enqueue(db, "test.chatty", {}, CALLER)).id)
    assert (job.phase, job.done, job.total, job.rejected) == ("verify", 0, 500, 5)
    assert job.last_event < 10, "500 reports in an instant are a handful of events"


async def test_the_heartbeat_writes_what_the_throttle_held_back(make_jobs: MakeJobs, db: Database) -> None:
    async def silent(context: JobContext) -> JsonObject:
        await context.progress(phase="load", done=0)
        await context.progress(done=41)
        gate.opened.clear()
        await gate.opened.wait()
        return {}

    gate = Gate(silent)
    gate.opened.set()
    jobs = make_jobs(gate.kind, heartbeat_s=0.05)
    job = await jobs.enqueue(db, "test.gate", {}, CALLER)
    run = asyncio.create_task(jobs.run(job.id))
    async with asyncio.timeout(10):
        async for event in jobs.follow(job.id):
            if event.snapshot.done == 41:
                gate.opened.set()
                break
    await run


async def test_a_running_job_shows_its_rate(make_jobs: MakeJobs, db: Database) -> None:
    async def steady(context: JobContext) -> JsonObject:
        await context.progress(phase="load", done=0, total=100)
        await context.progress(done=50)
        await held.wait()
        return {}

    held = asyncio.Event()
    jobs = make_jobs(JobKind("test.steady", steady), heartbeat_s=0.05)
    job = await jobs.enqueue(db, "test.steady", {}, CALLER)
    run = asyncio.create_task(jobs.run(job.id))

    async def half_done() -> bool:
        return (await jobs.get(job.id)).done == 50

    await wait_for(half_done)
    shown = await jobs.get(job.id)
    assert shown.rate is not None
    assert shown.rate > 0
    assert shown.seconds_left is not None
    (listed,) = (await jobs.list()).jobs
    assert listed.rate == shown.rate
    held.set()
    assert (await run).rate is None


def test_rate_is_of_the_last_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("core.jobs.context.time.monotonic", lambda: now)
    meter = Meter()
    assert (meter.rate, meter.seconds_left(10)) == (None, None)
    meter.restart(1000)
    assert meter.rate is None
    for step in range(1, 31):
        now = 100.0 + step
        meter.sample(1000 + step * (10 if step <= 15 else 100))
    assert meter.rate == pytest.approx(100, rel=0.1)
    left = meter.seconds_left(5000)
    assert left == pytest.approx(10, rel=0.2)
    assert meter.seconds_left(100) == 0
    assert meter.seconds_left(None) is None
