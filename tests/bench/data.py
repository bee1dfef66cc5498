"""Records of the length that an idea bank holds, the same in every run, and a database full of them."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

import asyncpg

from tests.fixtures.database import Connection

SYSTEMS: Final = 50
CATEGORIES = ("documentacao", "coleta-dados", "banco-dados", "analise-dados", "gestao-riscos", "dashboard")
PRIORITIES = ("low", "medium", "high", "critical")
STATUSES = ("new", "review", "in-progress", "completed", "rejected")
IDEA_CATEGORIES = ("api", "docs", "dashboard", "automation", "infrastructure")
IDEA_STATUSES = ("new", "triage", "in_progress", "review", "completed", "rejected")
WORDS = ("análise", "dados", "painel", "risco", "coleta", "índice", "relatório", "ordem", "sessão", "gráfico")
START: Final = datetime(2025, 1, 1, tzinfo=UTC)
SPACING: Final = timedelta(milliseconds=1_009)

ITEM_COLUMNS: Final = (
    *("id", "title", "description", "category", "priority", "status", "tags"),
    *("created_at", "updated_at"),
)
IDEA_COLUMNS: Final = (
    *("id", "title", "description", "category", "priority", "status", "tags", "system_id", "assigned_to"),
    *("created_by", "estimated_hours", "due_date", "completed_at", "created_at", "updated_at"),
)
SYSTEM_COLUMNS: Final = ("id", "name", "description", "status", "category", "created_at")


def records(count: int) -> Iterator[dict[str, object]]:
    """Ideas of the idea bank as its old file has them: a sentence each."""
    chance = random.Random(count)
    for number in range(count):
        moment = START + number * SPACING
        yield {
            "id": f"{chance.getrandbits(128):032x}",
            "title": f"{chance.choice(WORDS)} {chance.choice(WORDS)} {number}",
            "description": " ".join(chance.choices(WORDS, k=chance.randrange(2, 15))),
            "category": chance.choice(CATEGORIES),
            "priority": chance.choice(PRIORITIES),
            "status": chance.choice(STATUSES),
            "tags": chance.sample(WORDS, k=chance.randrange(3)),
            "createdAt": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "updatedAt": None,
        }


def _items(count: int) -> Iterator[tuple[object, ...]]:
    for number, record in enumerate(records(count)):
        created = START + number * SPACING
        yield (*list(record.values())[:7], created, None if number % 3 else created + SPACING)


def _ideas(count: int) -> Iterator[tuple[object, ...]]:
    chance = random.Random(count)
    for number in range(count):
        created = START + number * SPACING
        status = chance.choice(IDEA_STATUSES)
        yield (
            f"{chance.getrandbits(128):032x}",
            f"{chance.choice(WORDS)} {chance.choice(WORDS)} {number}",
            " ".join(chance.choices(WORDS, k=chance.randrange(2, 15))),
            chance.choice(IDEA_CATEGORIES),
            chance.choice(PRIORITIES),
            status,
            chance.sample(WORDS, k=chance.randrange(3)),
            f"system-{chance.randrange(SYSTEMS)}" if number % 5 else None,
            f"person-{chance.randrange(200)}" if number % 3 else None,
            f"person-{chance.randrange(200)}",
            # A half: whole numbers are written as 3 by one language and as 3.0 by another.
            chance.randrange(1, 80) + 0.5 if number % 4 == 0 else None,
            created + timedelta(days=30) if number % 4 == 1 else None,
            created + timedelta(days=20) if status == "completed" else None,
            created,
            created + SPACING if number % 2 else None,
        )


def _systems() -> Iterator[tuple[object, ...]]:
    for number in range(SYSTEMS):
        name = f"{WORDS[number % len(WORDS)]} {number}"
        yield f"system-{number}", name, f"Serves {name}", "online", "documentation", START + number * SPACING


AS_AN_IMPORT: Final = {"handover.unaudited": "items,ideas"}
"""Rows come without audit entries."""


async def fill(url: str, rows: int) -> None:
    """So many items and so many ideas of 50 systems. Statistics and visibility are then those of a database
    that has run for a while.
    """
    connection: Connection = await asyncpg.connect(url, server_settings=AS_AN_IMPORT)
    try:
        await connection.execute("TRUNCATE items, ideas, systems CASCADE")
        for table, columns, source in (
            ("systems", SYSTEM_COLUMNS, _systems()),
            ("items", ITEM_COLUMNS, _items(rows)),
            ("ideas", IDEA_COLUMNS, _ideas(rows)),
        ):
            await connection.copy_records_to_table(table, columns=columns, records=source)
            await connection.execute(f"VACUUM (ANALYZE) {table}")
    finally:
        await connection.close()


async def some_ids(url: str, count: int) -> list[str]:
    """Ids of items from all over the table."""
    connection: Connection = await asyncpg.connect(url)
    try:
        ids = [str(row["id"]) for row in await connection.fetch("SELECT id FROM items ORDER BY id")]
        return ids[:: max(1, len(ids) // count)][:count]
    finally:
        await connection.close()


async def drop_created(url: str) -> None:
    """Take back what a round has created, and what it left for PostgreSQL to clean up, so that the next one
    finds the same table.
    """
    connection: Connection = await asyncpg.connect(url)
    try:
        # What was filled in is older than a day.
        await connection.execute("DELETE FROM items WHERE created_at > now() - interval '1 day'")
        await connection.execute("VACUUM (ANALYZE) items")
        await connection.execute("CHECKPOINT")
    finally:
        await connection.close()
