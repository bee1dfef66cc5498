"""The job `audit.retention`: what it deletes, what it leaves behind, and that it can be stopped anywhere."""

from collections.abc import Awaitable
from datetime import datetime

import httpx
import pytest

from core.database.client import Database
from core.jobs import JobKind
from features.audit import jobs as retention
from features.audit import queries
from tests.fixtures.application import RunningApp
from tests.fixtures.database import Connection
from tests.fixtures.jobs import RunJob
from tests.fixtures.waiting import wait_for

URL = "/api/v1/audit/retention"


async def finished(client: httpx.AsyncClient, location: str) -> dict[str, object]:
    async def ended() -> dict[str, object] | None:
        job: dict[str, object] = (await client.get(location)).json()["data"]
        return job if job["state"] not in ("queued", "running") else None

    job = await wait_for(ended)
    assert job is not None
    return job


async def spread(connection: Connection) -> None:
    """40 entries that are 31 to 50 days old, two a day, and 20 that are at most 10 days old."""
    for first, last in ((31, 50), (1, 10)):
        await connection.execute(
            """
            INSERT INTO audit_entries (entity, entity_id, action, actor, changes, at)
            SELECT 'item', 'day-' || day, 'updated', 'ada', '{}', now() - day * interval '1 day' + '1 hour'
            FROM generate_series($1::int, $2::int) AS day, generate_series(1, 2)
            """,
            first,
            last,
        )


async def test_entries_older_than_the_setting_are_deleted_in_batches(
    running_app: RunningApp, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "BATCH", 15)
    await spread(connection)
    async with running_app(audit_retention_days=30) as client:
        accepted = await client.post(URL, headers={"x-user-id": "ada", "x-request-id": "request-3"})
        assert accepted.status_code == 202
        job = accepted.json()["data"]
        assert (job["kind"], job["arguments"]) == ("audit.retention", {"days": 30})
        assert accepted.headers["location"] == f"/api/v1/jobs/{job['id']}"
        ended = await finished(client, accepted.headers["location"])
        assert (ended["state"], ended["done"], ended["total"]) == ("succeeded", 40, 40)
        left = (await client.get("/api/v1/audit?entity=item&limit=200")).json()
        traces = (await client.get("/api/v1/audit?entity=audit")).json()["data"]
    assert left["total"] == 20
    assert {entry["entityId"] for entry in left["data"]} == {f"day-{day}" for day in range(1, 11)}
    result = ended["result"]
    assert isinstance(result, dict)
    assert result["deleted"] == 40
    assert [trace["changes"] for trace in traces] == [
        {"count": count, "before": result["before"]} for count in (10, 15, 15)
    ]
    for trace in traces:
        assert (trace["action"], trace["entityId"], trace["user"]) == ("deleted", job["id"], "ada")
        assert trace["requestId"] == "request-3"


async def test_by_default_everything_is_kept(client: httpx.AsyncClient, connection: Connection) -> None:
    await spread(connection)
    accepted = await client.post(URL)
    ended = await finished(client, accepted.headers["location"])
    assert (ended["state"], ended["result"]) == ("succeeded", {"deleted": 0})
    assert await connection.fetchval("SELECT count(*) FROM audit_entries") == 60


async def test_the_caller_cannot_choose_how_much_is_deleted(
    client: httpx.AsyncClient, connection: Connection
) -> None:
    await spread(connection)
    for refused in (await client.post(f"{URL}?days=1"), await client.post(URL, json={"days": 1})):
        assert refused.status_code == 400
    accepted = await client.post(URL)
    await finished(client, accepted.headers["location"])
    assert await connection.fetchval("SELECT count(*) FROM audit_entries") == 60


def left(connection: Connection) -> Awaitable[int]:
    return connection.fetchval("SELECT count(*) FROM audit_entries WHERE entity = 'item'")


def told(connection: Connection) -> Awaitable[int]:
    """How many were deleted, by the entries that say so."""
    return connection.fetchval("SELECT sum((changes ->> 'count')::int) FROM audit_entries")


async def test_a_cancelled_run_keeps_what_it_did_and_a_second_one_does_the_rest(
    client: httpx.AsyncClient, run_job: RunJob, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "BATCH", 10)
    await spread(connection)
    delete = queries.delete_older
    batches = 0

    async def delete_and_cancel(tx: Database, than: datetime, *, limit: int) -> int:
        nonlocal batches
        batches += 1
        count = await delete(tx, than, limit=limit)
        if batches == 2:
            job_id = await connection.fetchval("SELECT id FROM jobs")
            assert (await client.post(f"/api/v1/jobs/{job_id}/cancel")).status_code == 200
        return count

    monkeypatch.setattr(queries, "delete_older", delete_and_cancel)
    ended = await run_job(retention.RETENTION, {"days": 30})
    assert (ended.state, ended.done, await left(connection)) == ("cancelled", 20, 40)
    ended = await run_job(retention.RETENTION, {"days": 30})
    assert (ended.state, ended.result and ended.result["deleted"]) == ("succeeded", 20)
    assert (await left(connection), await told(connection)) == (20, 40)


@pytest.mark.parametrize("after", range(1, 5))
async def test_a_run_that_lost_its_process_goes_on_behind_its_last_batch(
    run_job: RunJob, connection: Connection, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    monkeypatch.setattr(retention, "BATCH", 10)
    await spread(connection)
    stopped = await run_job.dying(retention.RETENTION, {"days": 30}, after=after)
    assert stopped.checkpoint == {"deleted": 10 * after}
    assert (await left(connection), await told(connection)) == (60 - 10 * after, 10 * after)
    ended = await run_job.again(retention.RETENTION, stopped)
    assert (ended.state, ended.done, ended.result and ended.result["deleted"]) == ("succeeded", 40, 40)
    assert (await left(connection), await told(connection)) == (20, 40)


async def test_only_one_retention_runs_at_a_time(client: httpx.AsyncClient, connection: Connection) -> None:
    await connection.execute(
        "INSERT INTO jobs (id, kind, exclusive_key, state, arguments, actor, lease_expires_at) VALUES "
        "(gen_random_uuid(), 'audit.retention', 'audit.retention', 'running', '{}', 'ada', '9999-01-01')"
    )
    first = await connection.fetchval("SELECT id::text FROM jobs")
    refused = await client.post(URL)
    assert refused.status_code == 409
    assert first in refused.json()["message"]


def test_the_job_is_exclusive_and_its_kind_permanent() -> None:
    kind: JobKind = retention.RETENTION
    assert (kind.kind, kind.exclusive) == ("audit.retention", True)
