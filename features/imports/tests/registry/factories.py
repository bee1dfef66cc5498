"""Small makers of an old documentation registry: rows, CSV as QuestDB's `/exp` writes it, files' bytes."""

import random
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path

Old = dict[str, object]

_COLUMNS = {
    "documentation_systems": (
        "id name description type url status last_checked response_time_ms version owner tags metadata "
        "created_at updated_at designated_timestamp"
    ),
    "documentation_ideas": (
        "id title description status category priority assigned_to created_by system_id tags estimated_hours "
        "actual_hours due_date created_at updated_at completed_at designated_timestamp"
    ),
    "documentation_files": (
        "id filename original_name mime_type size_bytes file_path description idea_id system_id uploaded_by "
        "is_public download_count created_at updated_at designated_timestamp"
    ),
    "documentation_audit_log": "id entity_type entity_id action user_id changes ip_address user_agent ts",
}
TABLES: Mapping[str, Sequence[str]] = {table: names.split() for table, names in _COLUMNS.items()}
SYSTEMS, IDEAS, FILES, AUDIT = TABLES
NOON = "2024-05-01T12:00:00.000000Z"
_WORDS = ("guia", "página", "índice", "endpoint", "painel", "diagrama", "modelo", "revisão", "emoji 🎉")


def system(**changes: object) -> Old:
    """A good row; a change to `...` removes the column."""
    return _row(
        SYSTEMS,
        {
            "id": str(uuid.uuid4()),
            "name": f"Orders {uuid.uuid4().hex[:8]}",
            "description": "Takes orders in",
            "type": "api",
            "url": "https://orders.example/health",
            "status": "online",
            "last_checked": "2024-05-01T10:00:00.123000Z",
            "response_time_ms": 42,
            "version": "2.1.0",
            "owner": "platform-team",
            "tags": '["core","api"]',
            "metadata": '{"region":"eu","replicas":3}',
            "created_at": NOON,
            "updated_at": "2024-06-01T08:30:00.500000Z",
        },
        changes,
    )


def idea(**changes: object) -> Old:
    return _row(
        IDEAS,
        {
            "id": str(uuid.uuid4()),
            "title": "Document pagination",
            "description": "One page with examples",
            "status": "in_progress",
            "category": "api",
            "priority": "high",
            "assigned_to": "docs-team",
            "created_by": "ada",
            "system_id": None,
            "tags": '["guide"]',
            "estimated_hours": 12.5,
            "actual_hours": 0,
            "due_date": "2024-09-30T00:00:00.000000Z",
            "created_at": NOON,
            "updated_at": None,
            "completed_at": None,
        },
        changes,
    )


def file(**changes: object) -> Old:
    return _row(
        FILES,
        {
            "id": str(uuid.uuid4()),
            "filename": "guide.md",
            "original_name": "Guide.md",
            "mime_type": "text/markdown",
            "size_bytes": None,
            "file_path": "/srv/registry/uploads/guide.md",
            "description": "How to page",
            "idea_id": None,
            "system_id": None,
            "uploaded_by": "ada",
            "is_public": True,
            "download_count": 3,
            "created_at": NOON,
            "updated_at": None,
        },
        changes,
    )


def entry(**changes: object) -> Old:
    """A row of the audit log."""
    values: Old = {
        "id": str(uuid.uuid4()),
        "entity_type": "idea",
        "entity_id": str(uuid.uuid4()),
        "action": "update",
        "user_id": "ada",
        "changes": '{"title":"Better"}',
        "ip_address": "192.0.2.7",
        "user_agent": "Firefox",
        "ts": NOON,
        **changes,
    }
    return {name: value for name, value in values.items() if value is not ...}


def first_system(**changes: object) -> Old:
    """As the first schema has it."""
    return {
        "id": str(uuid.uuid4()),
        "name": f"Orders {uuid.uuid4().hex[:8]}",
        "description": "Takes orders in",
        "status": "online",
        "port": 3500,
        "host": "orders.internal",
        "url": "https://orders.example/health",
        "icon": "box",
        "color": "#aabbcc",
        "tags": "docs,portal",
        "created_at": NOON,
        "updated_at": None,
        "ts": NOON,
        **changes,
    }


def first_idea(**changes: object) -> Old:
    return {
        "id": str(uuid.uuid4()),
        "title": "Document pagination",
        "description": "One page with examples",
        "status": "backlog",
        "category": "guide",
        "priority": "high",
        "tags": "docs,portal",
        "created_by": "ada",
        "assigned_to": "docs-team",
        "created_at": NOON,
        "updated_at": None,
        "completed_at": None,
        "ts": NOON,
        **changes,
    }


def first_file(**changes: object) -> Old:
    return {
        "id": str(uuid.uuid4()),
        "idea_id": None,
        "original_name": "Guide.md",
        "stored_name": "1699-guide.md",
        "size": None,
        "mime_type": "text/markdown",
        "storage_path": "/srv/first/1699-guide.md",
        "checksum": None,
        "uploaded_by": "ada",
        "uploaded_at": NOON,
        "ts": NOON,
        **changes,
    }


def ideas(count: int, seed: int = 1) -> list[Old]:
    """As a real table has them, the same for the same seed."""
    chance = random.Random(seed)
    return [
        idea(
            id=str(uuid.UUID(int=chance.getrandbits(128), version=4)),
            title=f"{' '.join(chance.choices(_WORDS, k=4))} {number}",
            description=" ".join(chance.choices(_WORDS, k=30)),
            status=chance.choice(("backlog", "todo", "in_progress", "review", "new")),
            priority=chance.choice(("low", "medium", "high", "urgent")),
            category=chance.choice(("new_feature", "improvement", "bug_fix", "content", "structure")),
        )
        for number in range(count)
    ]


def export(folder: Path, **tables: Sequence[Old]) -> Path:
    """`export(folder, systems=[...], ideas=[...])`: the files that are named, as `/exp` writes them, with the
    columns of their first rows.
    """
    folder.mkdir(exist_ok=True)
    for name, rows in tables.items():
        table = f"documentation_{name}"
        (folder / f"{table}.csv").write_bytes(csv(rows, list(rows[0]) if rows else TABLES[table]))
    return folder


def csv(rows: Sequence[Old], columns: Sequence[str]) -> bytes:
    """Texts and timestamps in quotes, numbers and booleans bare, null as nothing; CRLF ends each line."""
    columns = list(dict.fromkeys([*columns, *(name for row in rows for name in row)]))
    lines = [",".join(f'"{name}"' for name in columns)]
    lines += [",".join(_cell(row.get(name)) for name in columns) for row in rows]
    return "".join(f"{line}\r\n" for line in lines).encode()


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    return '"' + str(value).replace('"', '""') + '"'


def _row(table: str, values: Old, changes: Old) -> Old:
    whole = {**dict.fromkeys(TABLES[table]), **values, "designated_timestamp": NOON, **changes}
    return {name: value for name, value in whole.items() if value is not ...}
