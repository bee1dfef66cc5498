"""Jobs that lost their process are picked up by others."""

import asyncio
import os
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from core.cache import Cache
from core.database.client import Database
from core.jobs import Delays, Jobs, queries
from core.jobs.lease import place_of
from core.settings import Settings
from tests.fixtures.transactions import transaction
from tests.fixtures.waiting import wait_for
from tests.jobs.conftest import MakeJobs
from tests.jobs.handlers import CALLER, COUNT, Gate, expire_lease, written


async def test_an_abandoned_job_is_taken_over_at_its_checkpoint(make_jobs: MakeJobs, db: Database) -> None:
    dead = make_jobs()
    job = await dead.enqueue(db, "test.count", {"total": 5}, CALLER)
    claimed = await queries.claim(db, job.id, [COUNT.kind], owner="dead", lease_s=30.0)
    assert claimed is not None
    for n in range(2):
        async with transaction(db) as tx:
            await tx.execute_raw("INSERT INTO job_test_rows VALUES ($1::uuid, $2::int)", job.id, n)
            await queries.checkpoint(tx, job.id, 1, {"next": n + 1}, done=n + 1, rejected=None)
    await expire_lease(db, job.id)

    heir = make_jobs()
    await heir.start()

    async def ended() -> bool:
        return (await heir.get(job.id)).ended

    await wait_for(ended)
    assert (await heir.get(job.id)).result == {"counted": 5, "from": 2}
    assert await written(db, job.id) == [0, 1, 2, 3, 4]


async def test_a_queued_job_is_left_to_its_own_process_for_a_while(make_jobs: MakeJobs, db: Database) -> None:
    jobs = make_jobs(delays=Delays())
    job = await jobs.enqueue(db, "test.count", {"total": 1}, CALLER)
    assert await queries.claim_next(db, [COUNT.kind], owner="other", lease_s=30.0) is None
    await db.execute_raw(
        "UPDATE jobs SET lease_expires_at = lease_expires_at - make_interval(secs => $1::float8)",
        Delays().pickup,
    )
    claimed = await queries.claim_next(db, [COUNT.kind], owner="other", lease_s=30.0)
    assert claimed is not None
    assert claimed.id == job.id


@pytest.mark.parametrize(
    ("host", "dead", "orphaned"),
    [("here", True, True), ("here", False, False), ("elsewhere", True, False)],
)
async def test_a_job_of_a_dead_process_of_this_host_is_an_orphan_at_once(
    make_jobs: MakeJobs, db: Database, host: str, dead: bool, orphaned: bool
) -> None:
    """Of other hosts nothing but the lease tells."""
    jobs = make_jobs(delays=Delays())
    job = await jobs.enqueue(db, "test.count", {"total": 1}, CALLER)
    assert not await jobs.is_orphaned(job.id), "its process may be about to begin"
    process = await asyncio.create_subprocess_exec("true")
    await process.wait()
    owner = f"{socket.gethostname() if host == 'here' else host}:{process.pid if dead else os.getpid()}:x"
    await queries.claim(db, job.id, [COUNT.kind], owner=owner, lease_s=30.0)
    assert await jobs.is_orphaned(job.id) is orphaned
    await expire_lease(db, job.id)
    assert await jobs.is_orphaned(job.id)
    assert (await jobs.run(job.id)).state == "succeeded"
    assert not await jobs.is_orphaned(job.id)


async def test_recovery_shares_the_jobs_out(make_jobs: MakeJobs, db: Database) -> None:
    workers = [make_jobs() for _ in range(3)]
    ids = [(await workers[0].enqueue(db, "test.count", {"total": 2}, CALLER)).id for _ in range(6)]
    for worker in workers:
        await worker.start()

    async def all_ended() -> bool:
        return (await workers[0].list(state="succeeded")).total == 6

    await wait_for(all_ended)
    assert [await written(db, job_id) for job_id in ids] == [[0, 1]] * 6
    assert {job.attempts for job in (await workers[0].list()).jobs} == {1}


async def test_a_worker_leaves_kinds_that_it_does_not_know(make_jobs: MakeJobs, db: Database) -> None:
    gate = Gate()
    newer = make_jobs(gate.kind)
    job = await newer.enqueue(db, "test.gate", {}, CALLER)
    older = make_jobs(COUNT)
    known = await older.enqueue(db, "test.count", {"total": 1}, CALLER)
    await older.start()

    async def known_ended() -> bool:
        return (await older.get(known.id)).ended

    await wait_for(known_ended)
    assert (await older.run(job.id)).state == "queued"
    assert older.public_arguments(job) == {}


async def test_a_job_that_kills_its_process_again_and_again_is_given_up(
    make_jobs: MakeJobs, db: Database
) -> None:
    jobs = make_jobs()
    job = await jobs.enqueue(db, "test.exclusive", {"total": 1}, CALLER)
    for _ in range(5):
        assert await queries.claim(db, job.id, ["test.exclusive"], owner="crashing", lease_s=30.0) is not None
        await expire_lease(db, job.id)
    last = await jobs.run(job.id)
    assert last.state == "failed"
    assert last.error == "Given up after 5 attempts without progress: each time its process died"
    assert await written(db, job.id) == []
    await jobs.enqueue(db, "test.exclusive", {"total": 1}, CALLER)


async def test_progress_between_crashes_starts_the_count_anew(make_jobs: MakeJobs, db: Database) -> None:
    jobs = make_jobs()
    job = await jobs.enqueue(db, "test.count", {"total": 9}, CALLER)
    for n in range(7):
        claimed = await queries.claim(db, job.id, [COUNT.kind], owner="crashing", lease_s=30.0)
        assert claimed is not None
        await queries.checkpoint(db, job.id, claimed.fencing_token, {"next": n}, done=n, rejected=None)
        await expire_lease(db, job.id)
    assert (await jobs.run(job.id)).state == "succeeded"


async def test_a_job_that_needs_files_waits_for_a_process_that_has_them(
    db: Database, job_settings: Settings, tmp_path: Path
) -> None:
    here, elsewhere = place_of(job_settings.data_dir), place_of(tmp_path / "elsewhere")
    assert here == place_of(job_settings.data_dir) != elsewhere
    local = replace(COUNT, kind="test.local", local=True)
    jobs = Jobs(db, Cache(job_settings), job_settings, [local])
    job = await jobs.enqueue(db, local.kind, {"total": 1}, CALLER)
    await expire_lease(db, job.id)
    for place in (elsewhere, None):
        assert await queries.claim_next(db, [local.kind], owner="other", lease_s=30.0, place=place) is None
        assert await queries.claim(db, job.id, [local.kind], owner="x", lease_s=30.0, place=place) is None
    claimed = await queries.claim_next(db, [local.kind], owner="own", lease_s=30.0, place=here)
    assert claimed is not None
    assert claimed.id == job.id
