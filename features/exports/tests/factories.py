"""Small makers of LowDB files, and of exports over HTTP."""

import json
from typing import Any, cast

import httpx

from tests.fixtures.waiting import wait_for

EXPORTS = "/api/v1/exports"

Record = dict[str, object]
Job = dict[str, Any]


def record(number: int = 0, **changes: object) -> Record:
    """A good record; a change to `...` removes the field."""
    whole: Record = {
        "id": f"id-{number}",
        "title": f"Título {number} \U0001f389",
        "description": 'Linha\n\t"aspas" \\ barra / \u2028 \x7f \x1b',
        "category": "dashboard",
        "priority": "medium",
        "status": "new",
        "tags": ["ui", ""] if number % 2 else [],
        "createdAt": f"2025-10-23T22:45:{number % 60:02d}.940Z",
        "updatedAt": None if number % 3 else "2025-11-01T00:00:00.001Z",
        **changes,
    }
    return {name: value for name, value in whole.items() if value is not ...}


def stringify(data: object) -> bytes:
    """`JSON.stringify(data, null, 2)`, for data without fractions."""
    return json.dumps(data, ensure_ascii=False, indent=2).encode()


async def ended(client: httpx.AsyncClient, job_id: str) -> Job:
    async def end() -> Job | None:
        job: Job = (await client.get(f"/api/v1/jobs/{job_id}")).json()["data"]
        return job if job["state"] in ("succeeded", "failed", "cancelled") else None

    return cast(Job, await wait_for(end, 30, message="the job did not end"))


async def imported(client: httpx.AsyncClient, content: bytes, **fields: str) -> Job:
    answer = await client.post(
        "/api/v1/imports",
        files={"file": ("library.json", content, "application/json")},
        data={"source": "lowdb", **fields},
    )
    assert answer.status_code == 202, answer.text
    job = await ended(client, answer.json()["data"]["id"])
    assert job["state"] == "succeeded", job["error"]
    return job


async def exported(client: httpx.AsyncClient) -> tuple[bytes, Job]:
    """The file, and the job after its end."""
    answer = await client.post(EXPORTS)
    assert answer.status_code == 202, answer.text
    job = await ended(client, answer.json()["data"]["id"])
    assert job["state"] == "succeeded", job["error"]
    download = await client.get(f"{EXPORTS}/{job['id']}/download")
    assert download.status_code == 200
    return download.content, job
