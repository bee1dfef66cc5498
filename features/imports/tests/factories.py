"""Small makers of LowDB files and records for the tests of imports."""

import asyncio
import json
import random
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import httpx

from tests.fixtures.waiting import wait_for

IMPORTS = "/api/v1/imports"
CATEGORIES = ("documentacao", "coleta-dados", "banco-dados", "analise-dados", "gestao-riscos", "dashboard")
PRIORITIES = ("low", "medium", "high", "critical")
STATUSES = ("new", "review", "in-progress", "completed", "rejected")
WORDS = ("adicionar", "suporte", "tema", "escuro", "aplicação", "painel", "relatório", "índice", "consulta")

Record = dict[str, object]
Job = dict[str, Any]

FIVE: tuple[Record, ...] = (
    {
        "id": "6a1d3a52-9c55-4f5d-8f0e-0d5f8f1f3a01",
        "title": "Primeira ideia",
        "description": "Descrição com acentuação, emoji 🎉 e\numa quebra de linha",
        "category": "dashboard",
        "priority": "medium",
        "status": "new",
        "tags": ["teste"],
        "createdAt": "2025-10-23T22:45:24.940Z",
        "updatedAt": None,
    },
    {
        "id": "legacy/42 ç",
        "title": "  espaços são mantidos  ",
        "description": "\tTabs e 'aspas' \"duplas\" \\ barra",
        "category": "banco-dados",
        "priority": "critical",
        "status": "in-progress",
        "tags": ["performance", "database", ""],
        "createdAt": "2025-10-23T22:46:19.745Z",
        "updatedAt": "2025-11-01T00:00:00.001Z",
    },
    {
        "id": "42",
        "title": "Terceira",
        "description": "Sem tags",
        "category": "documentacao",
        "priority": "low",
        "status": "completed",
        "tags": [],
        "createdAt": "2025-10-23T22:46:06.213Z",
        "updatedAt": None,
    },
    {
        "id": "B",
        "title": "Quarta",
        "description": "x",
        "category": "gestao-riscos",
        "priority": "high",
        "status": "rejected",
        "tags": ["a", "a", "b"],
        "createdAt": "1999-12-31T23:59:59.999Z",
        "updatedAt": None,
    },
    {
        "id": "b",
        "title": "t" * 200,
        "description": "y" * 5000,
        "category": "coleta-dados",
        "priority": "low",
        "status": "review",
        "tags": ["ui", "ux"],
        "createdAt": "2025-10-23T22:50:04.610Z",
        "updatedAt": None,
    },
)


def record(**changes: object) -> Record:
    """A good record with an id of its own; a change to `...` removes the field."""
    whole: Record = {**FIVE[0], "id": str(uuid.uuid4()), **changes}
    return {name: value for name, value in whole.items() if value is not ...}


def legacy_record(**changes: object) -> Record:
    """A valid record of the old service."""
    return {
        "id": "1",
        "title": "Otimizar queries SQL",
        "description": "Melhorar a performance",
        "category": "banco-dados",
        "priority": "critical",
        "status": "review",
        "tags": ["performance"],
        "createdAt": "2025-10-23T22:46:19.745Z",
        "updatedAt": None,
        **changes,
    }


def many(count: int, seed: int = 1) -> list[Record]:
    """Records as a real file has them, the same for the same seed."""
    chance = random.Random(seed)
    return [
        {
            "id": str(uuid.UUID(int=chance.getrandbits(128), version=4)),
            "title": f"{' '.join(chance.choices(WORDS, k=4))} {number}",
            "description": " ".join(chance.choices(WORDS, k=12)),
            "category": chance.choice(CATEGORIES),
            "priority": chance.choice(PRIORITIES),
            "status": chance.choice(STATUSES),
            "tags": chance.choices(WORDS, k=chance.randint(0, 3)),
            "createdAt": f"2025-{chance.randint(10, 12)}-{chance.randint(10, 28)}T10:00:0{number % 10}.940Z",
            "updatedAt": None,
        }
        for number in range(count)
    ]


def lowdb(records: object, *, name: str = "items") -> bytes:
    """As LowDB writes: two spaces of indentation, UTF-8, no line break at the end."""
    return json.dumps({name: records}, ensure_ascii=False, indent=2).encode("utf-8", "surrogatepass")


def write(folder: Path, content: bytes, name: str = "library.json") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


async def post(client: httpx.AsyncClient, content: bytes, **fields: str) -> httpx.Response:
    form = {"source": "lowdb", **fields}
    return await client.post(
        IMPORTS, files={"file": ("library.json", content, "application/json")}, data=form
    )


async def ended(client: httpx.AsyncClient, job_id: str, timeout: float = 30) -> Job:
    async def end() -> Job | None:
        job: Job = (await client.get(f"/api/v1/jobs/{job_id}")).json()["data"]
        return job if job["state"] in ("succeeded", "failed", "cancelled") else None

    return cast(Job, await wait_for(end, timeout, message="the job did not end"))


async def imported(client: httpx.AsyncClient, content: bytes, **fields: str) -> Job:
    """The job after its end."""
    answer = await post(client, content, **fields)
    assert answer.status_code == 202, answer.text
    return await ended(client, answer.json()["data"]["id"])


async def undone(client: httpx.AsyncClient, job_id: str, **choices: str) -> Job:
    """The undo of an import after its end."""
    answer = await client.post(f"{IMPORTS}/{job_id}/undo", params=choices)
    assert answer.status_code == 202, answer.text
    return await ended(client, answer.json()["data"]["id"])


@asynccontextmanager
async def begun(client: httpx.AsyncClient, content: bytes, **fields: str) -> AsyncIterator[str]:
    """The id of an import that runs during the block. The in-process client answers only at its end."""
    posting = asyncio.create_task(post(client, content, **fields))

    async def newest() -> str | None:
        jobs = (await client.get("/api/v1/jobs", params={"limit": 1, "state": "running"})).json()["data"]
        return str(jobs[0]["id"]) if jobs else None

    try:
        yield cast(str, await wait_for(newest, message="no import runs"))
        await posting
    finally:
        posting.cancel()
