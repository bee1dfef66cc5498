"""List, show and cancel."""

import asyncio
from collections.abc import Callable

import httpx
import pytest
from fastapi import FastAPI

from core.database.client import Author
from core.jobs import Jobs
from features.jobs.tests.conftest import Work
from tests.fixtures.waiting import PATIENCE_S

TIMESTAMP = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"


async def test_a_queued_job_shows_what_it_has(client: httpx.AsyncClient, work: Work) -> None:
    job = await work.enqueue("ana")
    answer = await client.get(f"/api/v1/jobs/{job.id}")
    assert answer.status_code == 200
    body = answer.json()
    assert body["success"] is True
    created = body["data"].pop("createdAt")
    assert created.endswith("Z")
    assert len(created) == len("2025-10-23T22:45:24.940Z")
    assert body["data"] == {
        "id": job.id,
        "kind": "test.http",
        "state": "queued",
        "done": 0,
        "rejected": 0,
        "attempts": 0,
        "cancelRequested": False,
        "actor": "ana",
    }


async def test_a_running_job_shows_how_far_it_is(client: httpx.AsyncClient, work: Work) -> None:
    job = await work.enqueue()
    run = asyncio.create_task(work.jobs.run(job.id))
    await work.reached.wait()
    shown = (await client.get(f"/api/v1/jobs/{job.id}")).json()["data"]
    assert (shown["state"], shown["phase"]) == ("running", "load")
    assert (shown["done"], shown["total"], shown["rejected"]) == (5, 10, 1)
    assert "startedAt" in shown
    assert {"finishedAt", "error", "result"} & shown.keys() == set()
    work.opened.set()
    await run


async def test_an_ended_job_shows_its_result_and_only_public_arguments(
    client: httpx.AsyncClient, app: FastAPI, work: Work, known_to_app: Callable[[Jobs], None]
) -> None:
    known_to_app(app.state.platform.jobs)
    job = await work.finished(dryRun=True, filename="library.json", path="/srv/secret/library.json")
    answer = await client.get(f"/api/v1/jobs/{job.id}")
    shown = answer.json()["data"]
    assert shown["state"] == "succeeded"
    assert shown["result"] == {"imported": 9, "note": None}
    assert shown["dryRun"] is True
    assert shown["arguments"] == {"filename": "library.json"}
    assert shown["startedAt"] <= shown["finishedAt"]
    assert {"error", "rowsPerSecond", "secondsLeft"} & shown.keys() == set()
    assert "secret" not in answer.text


async def test_a_failed_job_shows_its_sentence(client: httpx.AsyncClient, work: Work) -> None:
    job = await work.finished(fails=True)
    shown = (await client.get(f"/api/v1/jobs/{job.id}")).json()["data"]
    assert (shown["state"], shown["error"]) == ("failed", "Row 7 differs")
    assert "result" not in shown


async def test_the_list_is_paged_and_filtered_newest_first(client: httpx.AsyncClient, work: Work) -> None:
    ids = [(await work.enqueue()).id for _ in range(3)]
    await work.jobs.cancel(ids[0], Author("ada"))

    async def listed(query: str = "") -> tuple[list[str], int, int]:
        body = (await client.get(f"/api/v1/jobs{query}")).json()
        assert body["success"] is True
        return [job["id"] for job in body["data"]], body["count"], body["total"]

    assert await listed() == (ids[::-1], 3, 3)
    assert await listed("?limit=1&offset=1") == ([ids[1]], 1, 3)
    assert await listed("?offset=3") == ([], 0, 3)
    assert await listed("?state=cancelled") == ([ids[0]], 1, 1)
    assert await listed("?kind=test.http&state=queued") == (ids[:0:-1], 2, 2)
    assert await listed("?kind=import.lowdb") == ([], 0, 0)


async def test_a_row_of_the_list_equals_the_job(client: httpx.AsyncClient, work: Work) -> None:
    job = await work.finished()
    (row,) = (await client.get("/api/v1/jobs")).json()["data"]
    assert row == (await client.get(f"/api/v1/jobs/{job.id}")).json()["data"]


@pytest.mark.parametrize("query", ["?state=done", "?limit=0", "?limit=x", "?offset=-1", "?kind=%00"])
async def test_a_bad_filter_is_refused(client: httpx.AsyncClient, query: str) -> None:
    answer = await client.get(f"/api/v1/jobs{query}")
    assert answer.status_code == 400
    assert answer.json()["details"]


@pytest.mark.parametrize("job_id", ["nonsense", "7b0c0d8e-0000-4000-8000-000000000000"])
@pytest.mark.parametrize(("method", "tail"), [("GET", ""), ("GET", "/events"), ("POST", "/cancel")])
async def test_an_unknown_job_is_404(client: httpx.AsyncClient, job_id: str, method: str, tail: str) -> None:
    answer = await client.request(method, f"/api/v1/jobs/{job_id}{tail}")
    assert answer.status_code == 404
    assert answer.json()["message"] == f"Job with id {job_id} not found"


async def test_cancelling_a_queued_job_ends_it(client: httpx.AsyncClient, work: Work) -> None:
    job = await work.enqueue()
    answer = await client.post(f"/api/v1/jobs/{job.id}/cancel")
    assert answer.status_code == 200
    body = answer.json()
    assert body["message"] == "Job cancelled"
    assert (body["data"]["state"], body["data"]["cancelRequested"]) == ("cancelled", True)
    assert "finishedAt" in body["data"]


async def test_cancelling_a_running_job_reaches_its_process(client: httpx.AsyncClient, work: Work) -> None:
    job = await work.enqueue()
    run = asyncio.create_task(work.jobs.run(job.id))
    await work.reached.wait()
    answer = await client.post(f"/api/v1/jobs/{job.id}/cancel")
    assert answer.status_code == 200
    assert answer.json()["message"] == "Job is being cancelled"
    assert answer.json()["data"]["state"] == "running"
    async with asyncio.timeout(PATIENCE_S):
        assert (await run).state == "cancelled"


async def test_an_ended_job_cannot_be_cancelled(client: httpx.AsyncClient, work: Work) -> None:
    job = await work.finished()
    answer = await client.post(f"/api/v1/jobs/{job.id}/cancel")
    assert answer.status_code == 409
    assert answer.json()["message"] == f"Job {job.id} has already succeeded and cannot be cancelled"


async def test_the_app_leaves_a_kind_that_it_does_not_know(
    client: httpx.AsyncClient, app: FastAPI, work: Work
) -> None:
    jobs: Jobs = app.state.platform.jobs
    job = await work.enqueue()
    assert (await jobs.run(job.id)).state == "queued"
