"""Statements for many rows of a table at once that Prisma cannot say: locks in one order, and an update in
which each row has values of its own.
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, Final

import orjson

from core.database.arguments import isoformat
from core.database.client import Database
from core.database.writes import Write

_HOLD: Final = "SELECT id FROM {table} WHERE id = ANY($1::text[]) ORDER BY id FOR {lock}"

# A row's columns keep their values where its JSON object has no key for them.
_UPDATE: Final = """
UPDATE {table} AS row SET {columns} FROM jsonb_each($1::jsonb) AS given(id, changes)
    JOIN {table} AS stored ON stored.id = given.id,
    LATERAL jsonb_populate_record(stored, given.changes) AS changed
WHERE row.id = changed.id
"""


async def hold_rows(tx: Database, table: str, ids: Collection[str], lock: str = "UPDATE") -> frozenset[str]:
    """The ids of the rows that exist. They are locked until the transaction ends, in the order of their ids,
    so that two that want the same rows wait in line.
    """
    if not ids:
        return frozenset()
    rows = await tx.query_raw(_HOLD.format(table=table, lock=lock), list(ids))
    return frozenset(row["id"] for row in rows)


async def update_rows(tx: Database, model: str, table: str, changes: Mapping[str, Mapping[str, Any]]) -> None:
    """Update rows of the model's table: by their ids the columns that change in each, with the new values."""
    columns = frozenset(column for row in changes.values() for column in row)
    assigned = ", ".join(f"{column} = changed.{column}" for column in sorted(columns))
    text = orjson.dumps(changes, _shown, orjson.OPT_PASSTHROUGH_DATETIME).decode()
    async with tx.telling([Write(model, "update_many", tuple(changes), columns)]):
        await tx.execute_raw(_UPDATE.format(table=table, columns=assigned), text)


def _shown(value: object) -> str:
    assert isinstance(value, datetime)
    return isoformat(value)
