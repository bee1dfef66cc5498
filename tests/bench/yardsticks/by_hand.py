"""(b) FastAPI with asyncpg and orjson by hand: one statement for each request, no models on the way out."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final
from uuid import uuid4

import asyncpg
import orjson
from fastapi import FastAPI, Response

from tests.bench.yardsticks.shapes import IDEAS, ITEMS, POOL, CreateItem, UpdateItem, cursor, iso, now

COLUMNS: Final = "id, title, description, category, priority, status, tags, created_at, updated_at"
ITEM: Final = f"SELECT {COLUMNS} FROM items WHERE id = $1"
LIST_ITEMS: Final = f"""
SELECT {COLUMNS}, (SELECT sum(items)::int8 FROM item_totals) AS total
FROM items ORDER BY created_at DESC, id LIMIT $1
"""
LIST_IDEAS: Final = """
SELECT ideas.*, systems.name AS system_name,
    (SELECT sum(ideas)::int8 FROM idea_totals WHERE status = $1) AS total
FROM ideas LEFT JOIN systems ON systems.id = system_id
WHERE ideas.status = $1 ORDER BY ideas.created_at DESC, ideas.id LIMIT $2
"""
CREATE: Final = f"""
INSERT INTO items (id, title, description, category, priority, tags, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING {COLUMNS}
"""

Row = asyncpg.Record
pool: "asyncpg.Pool[asyncpg.Record]"


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    global pool
    async with asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=POOL, max_size=POOL) as pool:
        yield


app = FastAPI(lifespan=lifespan)


def answer(content: object, status: int = 200) -> Response:
    return Response(orjson.dumps(content), status, media_type="application/json")


def item(row: Row) -> dict[str, Any]:
    return {
        "id": row["id"],
        "title": row["title"],
        "description": row["description"],
        "category": row["category"],
        "priority": row["priority"],
        "status": row["status"],
        "tags": row["tags"],
        "createdAt": iso(row["created_at"]),
        "updatedAt": None if row["updated_at"] is None else iso(row["updated_at"]),
    }


def idea(row: Row) -> dict[str, Any]:
    made = {
        "id": row["id"],
        "title": row["title"],
        "description": row["description"],
        "category": row["category"],
        "priority": row["priority"],
        "status": row["status"],
        "tags": row["tags"],
    }
    if row["system_id"] is not None:
        made |= {
            "systemId": row["system_id"],
            "system": {"id": row["system_id"], "name": row["system_name"]},
        }
    for name, column in (
        ("assignedTo", "assigned_to"),
        ("createdBy", "created_by"),
        ("estimatedHours", "estimated_hours"),
        ("actualHours", "actual_hours"),
    ):
        if row[column] is not None:
            made[name] = row[column]
    for name, column in (
        ("dueDate", "due_date"),
        ("completedAt", "completed_at"),
        ("createdAt", "created_at"),
        ("updatedAt", "updated_at"),
    ):
        if row[column] is not None:
            made[name] = iso(row[column])
    return made


def page(scope: tuple[str, ...], rows: list[Any], made: list[dict[str, Any]], limit: int) -> Response:
    content = {"success": True, "count": len(made), "total": rows[0]["total"] if rows else 0}
    if len(rows) > limit:
        content["nextCursor"] = cursor(scope, rows[limit - 1]["created_at"], rows[limit - 1]["id"])
    return answer({**content, "data": made})


@app.get("/health")
async def health() -> Response:
    return answer({"status": "healthy"})


@app.get("/api/items")
async def list_items(limit: int = 100) -> Response:
    rows = await pool.fetch(LIST_ITEMS, limit + 1)
    return page(ITEMS, rows, [item(row) for row in rows[:limit]], limit)


@app.get("/api/items/{item_id}")
async def get_item(item_id: str) -> Response:
    row = await pool.fetchrow(ITEM, item_id)
    if row is None:
        return answer({"success": False, "message": f"Item with id {item_id} not found"}, 404)
    return answer({"success": True, "data": item(row)})


@app.get("/api/v1/ideas")
async def list_ideas(status: str, limit: int = 20) -> Response:
    rows = await pool.fetch(LIST_IDEAS, status, limit + 1)
    return page(IDEAS, rows, [idea(row) for row in rows[:limit]], limit)


@app.post("/api/items")
async def create_item(values: CreateItem) -> Response:
    row = await pool.fetchrow(
        CREATE,
        *(str(uuid4()), values.title, values.description, values.category, values.priority),
        *(values.tags, now()),
    )
    assert row is not None
    return answer({"success": True, "message": "Item created successfully", "data": item(row)}, 201)


@app.put("/api/items/{item_id}")
async def update_item(item_id: str, values: UpdateItem) -> Response:
    given = values.model_dump(exclude_unset=True)
    changes = "".join(f"{name} = ${place}, " for place, name in enumerate(given, 3))
    row = await pool.fetchrow(
        f"UPDATE items SET {changes}updated_at = $2, version = version + 1 WHERE id = $1 RETURNING {COLUMNS}",
        *(item_id, now(), *given.values()),
    )
    if row is None:
        return answer({"success": False, "message": f"Item with id {item_id} not found"}, 404)
    return answer({"success": True, "message": "Item updated successfully", "data": item(row)})
