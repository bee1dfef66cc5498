"""A job from its request to its end."""

import asyncio
from collections.abc import MutableMapping
from contextlib import suppress
from functools import partial
from typing import Any

import pytest

from core.database.client import Author, Database
from core.errors import Conflict, Unavailable
from core.jobs import JobConflict, JobContext, JobFailed, JobKind, JobNotFound, Jobs, JsonObject
from core.jobs.runner import INTERNAL_ERROR
from tests.fixtures.counting import measure
from tests.fixtures.transactions import transaction
from tests.jobs.conftest import MakeJobs
from tests.jobs.handlers import CALLER, Gate, written

Logs = list[MutableMapping[str, Any]]


async def test_a_job_runs_to_its_result(jobs: Jobs, db: Database) -> None:
    queued = await jobs.enqueue(db, "test.count", {"total": 3}, Author("ana", "r-7"))
    assert (queued.state, queued.actor, queued.request_id, queued.done) == ("queued", "ana", "r-7", 0)
    job = await jobs.run(queued.id)
    assert (job.state, job.phase, job.done, job.total, job.rejected) == ("succeeded", "load", 3, 3, 0)
    assert job.result == {"counted": 3, "from": 0}
    assert job.checkpoint == {"next": 3}
    assert job.error is None
    assert job.started_at is not None
    assert job.finished_at is not None
    assert job.created_at <= job.started_at <= job.finished_at
    assert await written(db, job.id) == [0, 1, 2]


async def test_an_ended_job_is_not_run_again(jobs: Jobs, db: Database) -> None:
    queued = await jobs.enqueue(db, "test.count", {"total": 2}, CALLER)
    await jobs.run(queued.id)
    again = await jobs.run(queued.id)
    assert again.state == "succeeded"
    assert again.attempts == 1
    assert await written(db, queued.id) == [0, 1]


async def test_a_job_is_part_of_its_writers_transaction(jobs: Jobs, db: Database) -> None:
    with suppress(ValueError):
        async with transaction(db) as tx:
            job = await jobs.enqueue(tx, "test.count", {"total": 1}, CALLER)
            raise ValueError
    with pytest.raises(JobNotFound):
        await jobs.get(job.id)


async def test_a_second_exclusive_job_names_the_first(jobs: Jobs, db: Database) -> None:
    first = await jobs.enqueue(db, "test.exclusive", {"total": 1}, CALLER)
    async with transaction(db) as tx:
        with pytest.raises(JobConflict) as conflict:
            await jobs.enqueue(tx, "test.exclusive", {"total": 1}, CALLER)
        assert first.id in str(conflict.value)
        assert conflict.value.job_id == first.id
        assert conflict.value.status == 409
        other = await jobs.enqueue(tx, "test.count", {"total": 1}, CALLER)
    assert (await jobs.get(other.id)).state == "queued", "the transaction must have stayed usable"
    await jobs.run(first.id)
    assert (await jobs.enqueue(db, "test.exclusive", {"total": 1}, CALLER)).id != first.id


async def test_of_many_exclusive_jobs_at_once_one_wins(jobs: Jobs, db: Database) -> None:
    attempts = [jobs.enqueue(db, "test.exclusive", {"total": 1}, CALLER) for _ in range(8)]
    results = await asyncio.gather(*attempts, return_exceptions=True)
    conflicts = [result for result in results if isinstance(result, JobConflict)]
    assert len(conflicts) == 7
    winner = (await jobs.list(kind="test.exclusive")).jobs
    assert len(winner) == 1
    assert {conflict.job_id for conflict in conflicts} == {winner[0].id}


async def _fail(context: JobContext) -> JsonObject:
    await context.progress(phase="verify", done=7, total=9, rejected=2)
    match context.job.arguments["how"]:
        case "said":
            raise JobFailed("Row 7 differs", result={"differs": 1})
        case "named":
            raise Conflict("The idea bank is not empty")
        case "nul":
            raise JobFailed("Bad \0 and \ud800")
        case "result":
            return {"bad": object()}  # type: ignore[dict-item]
        case _:
            raise KeyError("/secret/path")


@pytest.mark.parametrize(
    ("how", "sentence", "result"),
    [
        ("said", "Row 7 differs", {"differs": 1}),
        ("named", "The idea bank is not empty", None),
        ("nul", "Bad ? and ?", None),
        ("result", INTERNAL_ERROR, None),
        ("crash", INTERNAL_ERROR, None),
    ],
)
async def test_a_failed_job_says_why_and_nothing_internal(
    make_jobs: MakeJobs, db: Database, how: str, sentence: str, result: JsonObject | None
) -> None:
    jobs = make_jobs(JobKind("test.fail", _fail, exclusive=True))
    queued = await jobs.enqueue(db, "test.fail", {"how": how}, CALLER)
    job = await jobs.run(queued.id)
    assert (job.state, job.error, job.result) == ("failed", sentence, result)
    assert (job.phase, job.done, job.total, job.rejected) == ("verify", 7, 9, 2)
    await jobs.enqueue(db, "test.fail", {"how": how}, CALLER)


async def test_a_dependency_that_is_down_is_waited_for(make_jobs: MakeJobs, db: Database) -> None:
    tokens: list[int] = []

    async def flaky(context: JobContext) -> JsonObject:
        tokens.append(context.job.fencing_token)
        if len(tokens) < 3:
            raise Unavailable("The query engine restarts")
        return {"attempts": context.job.attempts}

    jobs = make_jobs(JobKind("test.flaky", flaky))
    job = await jobs.run((await jobs.enqueue(db, "test.flaky", {}, CALLER)).id)
    assert (job.state, job.result) == ("succeeded", {"attempts": 3})
    assert tokens == [1, 2, 3], "each attempt fences the one before"


async def test_a_dependency_that_stays_down_fails_the_job(make_jobs: MakeJobs, db: Database) -> None:

    async def down(context: JobContext) -> JsonObject:
        raise Unavailable("The mirror is down")

    jobs = make_jobs(JobKind("test.down", down))
    job = await jobs.run((await jobs.enqueue(db, "test.down", {}, CALLER)).id)
    assert job.state == "failed"
    assert job.error == "Given up after 5 attempts without progress: The mirror is down"


async def test_end_is_logged_with_counts_and_duration(jobs: Jobs, db: Database, logs: Logs) -> None:
    job = await jobs.run((await jobs.enqueue(db, "test.count", {"total": 2}, CALLER)).id)
    (event,) = [event for event in logs if event["event"] == "job.succeeded"]
    assert (event["done"], event["total"], event["rejected"]) == (2, 2, 0)
    assert event["job_id"] == job.id
    assert isinstance(event["seconds"], float)


async def test_jobs_are_listed_newest_first(jobs: Jobs, db: Database) -> None:
    ids = []
    for _ in range(3):
        # Two of one millisecond would come in the order of their ids.
        await db.execute_raw("UPDATE jobs SET created_at = created_at - interval '1 second'")
        ids.append((await jobs.enqueue(db, "test.count", {"total": 1}, CALLER)).id)
    await jobs.run(ids[0])
    page = await jobs.list()
    assert [job.id for job in page.jobs] == ids[::-1]
    assert page.total == 3
    assert [job.id for job in (await jobs.list(state="succeeded")).jobs] == ids[:1]
    assert (await jobs.list(kind="test.other")).total == 0
    page = await jobs.list(limit=1, offset=1)
    assert [job.id for job in page.jobs] == ids[1:2]
    assert page.total == 3


@pytest.mark.parametrize("job_id", ["nonsense", "", "7b0c0d8e-0000-4000-8000-000000000000", "\0"])
async def test_an_unknown_job_is_not_found(jobs: Jobs, job_id: str) -> None:
    for call in (jobs.get, jobs.run, partial(jobs.cancel, actor=CALLER)):
        with pytest.raises(JobNotFound):
            await call(job_id)


async def test_a_running_job_does_not_inherit_its_callers_context(make_jobs: MakeJobs, db: Database) -> None:
    gate = Gate()
    gate.opened.set()
    jobs = make_jobs(gate.kind)
    job = await jobs.enqueue(db, "test.gate", {}, CALLER)
    with measure() as meter:
        await jobs.run(job.id)
    assert meter.queries == 2, "the claim and the last read, not the job's own"


async def test_a_batch_that_was_rolled_back_is_not_counted(make_jobs: MakeJobs, db: Database) -> None:
    async def half(context: JobContext) -> JsonObject:
        await context.progress(phase="load", done=1, total=30, rejected=1)
        async with transaction(context.db) as tx:
            await context.checkpoint(tx, {"next": 10}, done=10, rejected=2)
        async with transaction(context.db) as tx:
            await context.checkpoint(tx, {"next": 20}, done=20, rejected=3)
            raise JobFailed("Batch 2 cannot be stored")

    jobs = make_jobs(JobKind("test.half", half))
    job = await jobs.run((await jobs.enqueue(db, "test.half", {}, CALLER)).id)
    assert (job.state, job.checkpoint, job.done, job.rejected) == ("failed", {"next": 10}, 10, 2)
