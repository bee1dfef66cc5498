"""Requests with an Idempotency-Key, and what they leave behind."""

import uuid
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.fixtures.database import Connection

ITEMS = "/api/items"
ITEM = {"title": "t", "description": "d", "category": "dashboard", "priority": "low"}
SYSTEM = {"name": "n", "description": "d", "status": "planned"}


def keyed(key: str | None = None, **headers: str) -> dict[str, str]:
    return {"idempotency-key": key or str(uuid.uuid4()), **headers}


async def count(connection: "Connection", table: str) -> int:
    return int(await connection.fetchval(f"SELECT count(*) FROM {table}"))
