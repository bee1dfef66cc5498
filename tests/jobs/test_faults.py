"""The database goes away at the worst moments. Answers get lost; what was committed counts."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from core.database.client import Database
from core.errors import Unavailable
from core.jobs import JobContext, JobKind, Jobs, JsonObject, queries
from core.jobs.runner import INTERNAL_ERROR
from tests.fixtures.waiting import PATIENCE_S, wait_for
from tests.jobs.conftest import QUICK, MakeJobs
from tests.jobs.handlers import CALLER, COUNT, Gate, written

pytestmark = pytest.mark.slow

Breaks = Callable[..., None]


@pytest.fixture
def breaks(monkeypatch: pytest.MonkeyPatch) -> Breaks:
    """`breaks("finish", times=2)`: the query fails twice; `done=True`: only its answer gets lost."""

    def install(name: str, *, times: int, done: bool = False) -> None:
        real: Callable[..., Awaitable[object]] = getattr(queries, name)
        left = times

        async def broken(*arguments: object, **options: object) -> object:
            nonlocal left
            if left == 0:
                return await real(*arguments, **options)
            left -= 1
            if done:
                await real(*arguments, **options)
            raise Unavailable("The database is away")

        monkeypatch.setattr(queries, name, broken)

    return install


@pytest.mark.parametrize("done", [False, True])
async def test_the_end_is_written_once_although_the_answer_is_lost(
    jobs: Jobs, db: Database, breaks: Breaks, logs: list[dict[str, object]], done: bool
) -> None:
    breaks("finish", times=2, done=done)
    job = await jobs.run((await jobs.enqueue(db, "test.count", {"total": 2}, CALLER)).id)
    assert (job.state, job.done) == ("succeeded", 2)
    events = await jobs.events_after(job.id, 0)
    assert [event.final for event in events].count(True) == 1
    names = [event["event"] for event in logs]
    assert names.count("job.succeeded") == 1
    assert "job.lease_lost" not in names


@pytest.mark.parametrize("done", [False, True])
async def test_a_lost_retry_is_repeated(jobs: Jobs, db: Database, breaks: Breaks, done: bool) -> None:
    breaks("checkpoint", times=1)
    breaks("retry", times=2, done=done)
    job = await jobs.run((await jobs.enqueue(db, "test.count", {"total": 3}, CALLER)).id)
    assert (job.state, await written(db, job.id)) == ("succeeded", [0, 1, 2])


async def test_the_heartbeat_outlasts_a_retry_whose_answer_is_lost(
    make_jobs: MakeJobs,
    db: Database,
    breaks: Breaks,
) -> None:
    """Until it is asked again nobody knows the token; afterwards the job keeps its lease."""
    breaks("checkpoint", times=1)
    breaks("retry", times=1, done=True)
    jobs, other = (make_jobs(lease_s=3, heartbeat_s=0.05, delays=replace(QUICK, retry=0.2)) for _ in range(2))
    enqueued = await jobs.enqueue(db, "test.count", {"total": 3, "pace": 1.5}, CALLER)
    running = asyncio.create_task(jobs.run(enqueued.id))

    async def begun() -> bool:
        return (await other.get(enqueued.id)).state == "running"

    await wait_for(begun)
    await other.start()
    job = await running
    assert (job.state, await written(db, job.id)) == ("succeeded", [0, 1, 2])
    assert job.fencing_token == 3, "claimed once, retried twice, taken over by nobody"


async def test_a_lost_answer_to_a_checkpoint_does_not_repeat_rows(
    jobs: Jobs, db: Database, breaks: Breaks
) -> None:
    breaks("checkpoint", times=2, done=True)
    job = await jobs.run((await jobs.enqueue(db, "test.count", {"total": 3}, CALLER)).id)
    assert (job.state, await written(db, job.id)) == ("succeeded", [0, 1, 2])


async def test_stopping_while_waiting_for_the_database_hands_back(make_jobs: MakeJobs, db: Database) -> None:
    gate = Gate()

    async def down(context: JobContext) -> JsonObject:
        gate.reached.set()
        raise Unavailable("The database is away")

    jobs = make_jobs(JobKind("test.down", down), delays=replace(QUICK, retry=60.0))
    job = await jobs.enqueue(db, "test.down", {}, CALLER)
    run = asyncio.create_task(jobs.run(job.id))
    await gate.reached.wait()
    async with asyncio.timeout(PATIENCE_S):
        await jobs.stop()
        assert (await run).state == "queued"


async def test_followers_outlast_the_database(jobs: Jobs, db: Database, breaks: Breaks) -> None:
    job = await jobs.run((await jobs.enqueue(db, "test.count", {"total": 1}, CALLER)).id)
    breaks("events_of", times=3)
    events = [event.sequence async for event in jobs.follow(job.id)]
    assert events == list(range(1, job.last_event + 1))


async def test_recovery_outlasts_the_database_and_the_unexpected(
    make_jobs: MakeJobs,
    db: Database,
    breaks: Breaks,
    monkeypatch: pytest.MonkeyPatch,
    logs: list[dict[str, object]],
) -> None:
    jobs = make_jobs()
    job = await jobs.enqueue(db, "test.count", {"total": 1}, CALLER)
    breaks("claim_next", times=2)
    once_broken = queries.claim_next
    faults = [ValueError("a fault of ours")]

    async def faulty(*arguments: object, **options: object) -> object:
        if faults:
            raise faults.pop()
        return await once_broken(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(queries, "claim_next", faulty)
    await jobs.start()

    async def ended() -> bool:
        return (await jobs.get(job.id)).state == "succeeded"

    await wait_for(ended)
    names = [event["event"] for event in logs]
    assert names.count("jobs.recovery_failed") == 1
    assert names.count("jobs.recovery_unavailable") == 2


async def test_a_handler_that_cancels_itself_has_failed(make_jobs: MakeJobs, db: Database) -> None:
    async def confused(context: JobContext) -> JsonObject:
        raise asyncio.CancelledError

    jobs = make_jobs(JobKind("test.confused", confused))
    job = await jobs.run((await jobs.enqueue(db, "test.confused", {}, CALLER)).id)
    assert (job.state, job.error) == ("failed", INTERNAL_ERROR)


def test_kinds_are_dotted() -> None:
    for bad in ("import", "Import.Lowdb", "import.", "import lowdb"):
        with pytest.raises(ValueError, match="dotted"):
            JobKind(bad, COUNT.run)
