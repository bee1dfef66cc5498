"""Jobs that the clock begins: once in the whole cluster, however many processes look, never made up for."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from core.cache import Cache
from core.database.client import Database
from core.idempotency import PRUNE
from core.jobs import JobContext, JobKind, Jobs, JsonObject
from core.settings import Settings
from features.jobs.queries import next_runs
from tests.fixtures.database import Connection
from tests.fixtures.servers import StartServer
from tests.fixtures.waiting import wait_for
from tests.jobs.conftest import MakeJobs
from tests.jobs.handlers import CALLER

EVERY = timedelta(hours=6)
PROCESSES = 8


async def nothing(context: JobContext) -> JsonObject:
    return {}


TICK = JobKind("test.tick", nothing, exclusive=True, every=EVERY)
NEVER = JobKind("test.never", nothing, every=EVERY, scheduled=lambda settings: None)


async def set_clocks(db: Database, jobs: Jobs) -> None:
    """As a process does that starts."""
    stopping = asyncio.Event()
    following = asyncio.create_task(jobs.clock.follow(stopping))
    assert await wait_for(lambda: next_runs(db, jobs.clock.kinds))
    stopping.set()
    await following


async def make_due(connection: Connection, ago: timedelta = timedelta(seconds=1)) -> None:
    await connection.execute("UPDATE job_clocks SET next_at = $1", datetime.now(UTC) - ago)


async def begun(jobs: Jobs) -> int:
    return (await jobs.list(kind=TICK.kind)).total


@pytest.fixture
async def processes(db: Database, make_jobs: MakeJobs) -> list[Jobs]:
    made = [make_jobs(TICK, NEVER) for _ in range(PROCESSES)]
    for jobs in made:
        await set_clocks(db, jobs)
    return made


async def test_a_kind_begins_first_when_its_time_has_passed_once(db: Database, processes: list[Jobs]) -> None:
    kinds = processes[0].clock.kinds
    [(kind, at)] = [run for run in (await next_runs(db, kinds)).items() if run[0].startswith("test.")]
    assert (kind, kinds[kind][0]) == (TICK.kind, EVERY)
    assert timedelta(hours=5, minutes=59) < at - datetime.now(UTC) <= EVERY
    await asyncio.gather(*(jobs.clock.begin_due() for jobs in processes))
    assert await begun(processes[0]) == 0


async def test_of_many_processes_one_begins_it(processes: list[Jobs], connection: Connection) -> None:
    await make_due(connection)
    await asyncio.gather(*(jobs.clock.begin_due() for jobs in processes for _ in range(3)))
    page = await processes[0].list(kind=TICK.kind)
    assert [(job.actor, job.state) for job in page.jobs] == [("clock", "queued")]
    assert (await processes[0].run(page.jobs[0].id)).state == "succeeded"


async def test_a_late_run_is_not_followed_by_those_that_were_missed(
    processes: list[Jobs], connection: Connection
) -> None:
    await make_due(connection, ago=10 * EVERY)
    for jobs in processes:
        await jobs.clock.begin_due()
        for job in (await jobs.list(kind=TICK.kind, state="queued")).jobs:
            await jobs.run(job.id)
    assert await begun(processes[0]) == 1


async def test_what_runs_already_is_not_begun_and_the_clock_goes_on(
    processes: list[Jobs], db: Database, connection: Connection
) -> None:
    await processes[0].enqueue(db, TICK.kind, {}, CALLER)
    await make_due(connection)
    await processes[1].clock.begin_due()
    assert await begun(processes[0]) == 1
    runs = await next_runs(db, processes[0].clock.kinds)
    assert all(at > datetime.now(UTC) for at in runs.values())


async def test_a_kind_that_cannot_be_begun_holds_up_no_other(
    db: Database, make_jobs: MakeJobs, connection: Connection
) -> None:
    first, last = (
        JobKind(name, nothing, every=EVERY, scheduled=lambda settings: {"no JSON": float("nan")})
        for name in ("test.a", "test.z")
    )
    jobs = make_jobs(first, TICK, last)
    await set_clocks(db, jobs)
    await make_due(connection)
    await jobs.clock.begin_due()
    assert await begun(jobs) == 1


async def test_a_kind_that_becomes_more_frequent_does_not_wait_for_its_old_time(
    db: Database, processes: list[Jobs], make_jobs: MakeJobs
) -> None:
    often = make_jobs(JobKind(TICK.kind, nothing, every=timedelta(minutes=1)))
    await set_clocks(db, often)
    runs = await next_runs(db, often.clock.kinds)
    assert runs[TICK.kind] - datetime.now(UTC) <= timedelta(minutes=1)


async def test_a_process_that_starts_follows_the_clock(
    db: Database, make_jobs: MakeJobs, connection: Connection
) -> None:
    jobs = make_jobs(TICK)
    await set_clocks(db, jobs)
    await make_due(connection)
    await jobs.start()

    async def ended() -> list[str]:
        return [job.actor for job in (await jobs.list(kind=TICK.kind, state="succeeded")).jobs]

    assert await wait_for(ended) == ["clock"]


async def test_old_jobs_are_pruned_and_imports_kept(
    make_jobs: MakeJobs, job_settings: Settings, db: Database, connection: Connection
) -> None:
    journal = JobKind("test.journal", nothing, kept=True)
    jobs = make_jobs(TICK, journal)
    days = job_settings.jobs_retention_days
    rows = [
        (f"{kind} {state} {age}", kind, state, age)
        for kind in (TICK.kind, journal.kind)
        for state in ("succeeded", "running")
        for age in (days - 1, days + 1)
    ]
    for name, kind, state, age in rows:
        await connection.execute(
            """
            INSERT INTO jobs (id, kind, state, arguments, actor, created_at, finished_at, lease_expires_at)
            VALUES (gen_random_uuid(), $1, $2, '{}', $3, now() - $4 * interval '1 day',
                CASE $2 WHEN 'succeeded' THEN now() - $4 * interval '1 day' END, now() + interval '1 minute')
            """,
            kind,
            state,
            name,
            age,
        )

    job = await jobs.enqueue(db, "jobs.prune", {}, CALLER)
    ended = await jobs.run(job.id)
    assert (ended.state, (ended.result or {})["deleted"]) == ("succeeded", 1)
    left = {row["actor"] for row in await connection.fetch("SELECT actor FROM jobs WHERE actor <> 'tester'")}
    assert {name for name, *_ in rows} - left == {f"{TICK.kind} succeeded {days + 1}"}


async def test_a_job_from_before_the_setting_was_0_deletes_nothing(
    job_settings: Settings, db: Database, connection: Connection
) -> None:
    settings = job_settings.model_copy(update={"jobs_retention_days": 0})
    jobs = Jobs(db, Cache(settings), settings, [TICK])
    old = await jobs.run((await jobs.enqueue(db, TICK.kind, {}, CALLER)).id)
    await connection.execute("UPDATE jobs SET finished_at = now() - interval '1 day'")
    job = await jobs.enqueue(db, "jobs.prune", {}, CALLER)
    assert (await jobs.run(job.id)).result == {"deleted": 0}
    assert (await jobs.get(old.id)).state == "succeeded"
    await jobs.stop()


async def test_expired_idempotency_keys_are_pruned(
    make_jobs: MakeJobs, db: Database, connection: Connection
) -> None:
    jobs = make_jobs(PRUNE)
    for name, expires, lease in (("old", -1, -1), ("held", -1, 1), ("new", 1, -1)):
        await connection.execute(
            """
            INSERT INTO idempotency_keys (id, attempt, lease_expires_at, expires_at)
            VALUES ($1, gen_random_uuid(), now() + $2 * interval '1 hour', now() + $3 * interval '1 hour')
            """,
            name,
            lease,
            expires,
        )

    job = await jobs.enqueue(db, PRUNE.kind, {}, CALLER)
    assert (await jobs.run(job.id)).result == {"deleted": 1}
    assert {row["id"] for row in await connection.fetch("SELECT id FROM idempotency_keys")} == {"held", "new"}


async def test_the_next_runs_are_told(live_server: StartServer) -> None:
    async with (await live_server()).client() as client:

        async def told() -> list[dict[str, str | int]]:
            return list((await client.get("/api/v1/jobs/clock")).json()["data"])

        runs = await wait_for(told)
    every = {run["kind"]: run["everySeconds"] for run in runs}
    assert "audit.retention" not in every  # AUDIT_RETENTION_DAYS is 0
    assert (
        every.items()
        >= {
            "files.reconcile": 86_400,
            "jobs.prune": 86_400,
            "idempotency.prune": 3_600,
            "changes.prune": 3_600,
            "changes.retention": 3_600,
            "webhooks.prune": 3_600,
        }.items()
    )
    assert [run["nextAt"] for run in runs] == sorted(run["nextAt"] for run in runs)
