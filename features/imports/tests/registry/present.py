"""A small registry that was taken over, what is here of it, and what people add to it."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from core.settings import Settings
from features.imports.tests.registry.factories import export, file, idea, system

if TYPE_CHECKING:
    import asyncpg

TABLES = ("systems", "ideas", "files")
NEW_SYSTEM = {"name": "Ours", "description": "d", "status": "online"}
NEW_IDEA = {"title": "Ours", "description": "d", "category": "docs", "priority": "low"}


async def everything(sql: "asyncpg.Connection") -> dict[str, dict[str, Any]]:
    """All rows by table and id, without what grows whatever happens."""
    found = {}
    for table in TABLES:
        for row in await sql.fetch(f"SELECT * FROM {table}"):
            found[f"{table} {row['id']}"] = {
                k: v for k, v in row.items() if "version" not in k or k == "version"
            }
    return found


def stored(settings: Settings) -> dict[str, bytes]:
    """Every object of the store, by key."""
    root = settings.data_dir / "files"
    return {str(path.relative_to(root)): path.read_bytes() for path in root.glob("*/*")}


async def created(client: httpx.AsyncClient, kind: str, body: dict[str, str]) -> str:
    answer = await client.post(f"/api/v1/{kind}", json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["data"]["id"])


async def uploaded(client: httpx.AsyncClient, **fields: str) -> str:
    form = {"file": ("ours.txt", b"ours\n", "text/plain")}
    answer = await client.post("/api/v1/files/upload", files=form, data=fields)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["data"]["id"])


def whole(folder: Path) -> Path:
    return export(
        folder,
        systems=[system(id="s", name="Hub")],
        ideas=[idea(id="i", system_id="s")],
        files=[file(id="f", idea_id="i", system_id="s")],
    )


async def one(client: httpx.AsyncClient, path: str) -> dict[str, Any]:
    answer = await client.get(f"/api/v1/{path}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()["data"]
    return found
