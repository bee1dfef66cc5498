"""The old services of the guide's story: what they have, and what happens in them while both are used."""

import json
from pathlib import Path
from typing import Final

import asyncpg

from features.imports.tests.factories import Record, lowdb
from features.imports.tests.registry.factories import Old, entry, export, file, idea, system
from features.imports.tests.registry.test_live import _REAL, fill

ID: Final = "{:08}-6e08-4825-a686-638a5d6b0e4a"
ITEMS: Final = tuple(ID.format(number) for number in range(10))
RECORDS: Final = tuple(ID.format(number) for number in (101, 201, 202, 301, 302, 401))
SYSTEM, IDEA, COMING, FILE, LOST, ENTRY = RECORDS
GUIDE: Final = b"# Orders\n\nHow to page through orders.\n"


def _item(number: int, title: str, **changes: object) -> Record:
    return {
        "id": ITEMS[number],
        "title": title,
        "description": "As asked for in the spring",
        "category": "dashboard",
        "priority": "medium",
        "status": "new",
        "tags": ["ui"],
        "createdAt": f"2025-10-2{number}T09:00:00.000Z",
        "updatedAt": None,
        **changes,
    }


NAMELESS: Final = _item(9, "")


def idea_bank(folder: Path) -> None:
    items = [_item(1, "Dark mode"), _item(2, "Faster lists"), _item(3, "Print a board"), NAMELESS]
    (folder / "library.json").write_bytes(lowdb(items))


def idea_bank_goes_on(folder: Path) -> None:
    """1 and 2 are changed, 3 is deleted, 4 comes."""
    later = "2025-11-20T10:05:00.000Z"
    items = [
        _item(1, "Dark mode on every page", updatedAt=later),
        _item(2, "Faster lists", priority="high", updatedAt=later),
        NAMELESS,
        _item(4, "Keyboard shortcuts"),
    ]
    (folder / "library.json").write_bytes(lowdb(items))


def idea_bank_after_all(folder: Path) -> None:
    """The old service runs again, on what was exported, and somebody deletes 1 and completes 4."""
    path = folder / "library.json"
    library = json.loads(path.read_text())
    library["items"] = [each for each in library["items"] if each["id"] != ITEMS[1]]
    for each in library["items"]:
        if each["id"] == ITEMS[4]:
            each |= {"status": "completed", "updatedAt": "2025-12-01T08:00:00.000Z"}
    path.write_bytes(lowdb(library["items"]))


def registry(folder: Path) -> None:
    (folder / "uploads").mkdir()
    (folder / "uploads" / "orders.md").write_bytes(GUIDE)
    export(folder / "old-registry", systems=[_system()], ideas=[_idea()], files=_files())


async def registry_in_postgres(url: str) -> None:
    old = await asyncpg.connect(url)
    try:
        log: list[Old] = [entry(id=ENTRY, entity_id=IDEA, changes='{"priority":"urgent"}')]
        await fill(old, _REAL, systems=[_system()], ideas=[_idea()], files=_files()[:1], log=log)
        await old.execute("ALTER TABLE documentation_systems ADD COLUMN on_call text DEFAULT 'ada'")
    finally:
        await old.close()


async def registry_goes_on(url: str) -> None:
    """The system is changed, and the idea, as it was here; the file is deleted, another idea comes."""
    old = await asyncpg.connect(url)
    try:
        later = "updated_at = '2025-11-20T10:05:00Z'"
        await old.execute(f"UPDATE documentation_systems SET version = '2.2.0', {later}")
        await old.execute(f"UPDATE documentation_ideas SET priority = 'low', {later}")
        await old.execute("DELETE FROM documentation_files")
        await old.execute(
            "INSERT INTO documentation_ideas SELECT * FROM json_populate_recordset("
            "NULL::documentation_ideas, $1::json)",
            json.dumps([idea(id=COMING, system_id=SYSTEM, title="Document errors")]),
        )
    finally:
        await old.close()


def _system() -> Old:
    return system(id=SYSTEM, name="orders", status="error")


def _idea() -> Old:
    return idea(id=IDEA, system_id=SYSTEM, category="improvement", priority="urgent", status="backlog")


def _files() -> list[Old]:
    """The bytes of the second are lost."""
    return [
        file(id=FILE, idea_id=IDEA, filename="orders.md", file_path="orders.md", size_bytes=len(GUIDE)),
        file(id=LOST, idea_id=IDEA, filename="lost.md", file_path="lost.md", size_bytes=7),
    ]
