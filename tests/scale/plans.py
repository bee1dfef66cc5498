"""What PostgreSQL does with a statement: which nodes, how many rows and pages they read."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from tests.fixtures.database import Connection
from tests.scale.wire import Statement

WARM: Final = 6
"""After five executions a prepared statement may get one plan for all values; that is the plan to look at."""


@dataclass(frozen=True)
class Cost:
    """`rows` were looked at, thrown away or not; `pages` were touched; `scanned` tables were read from end to
    end.
    """

    rows: int
    pages: int
    scanned: frozenset[str]
    plan: str

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(
            self.rows + other.rows,
            self.pages + other.pages,
            self.scanned | other.scanned,
            f"{self.plan}\n{other.plan}",
        )


async def cost_of(connection: Connection, statement: Statement) -> Cost:
    """The same statement with the same values, prepared and as often executed as the app's own."""
    values = ", ".join(_quoted(value) for value in statement.values)
    execute = f"EXECUTE tried({values})" if statement.values else "EXECUTE tried"
    await connection.execute(f"PREPARE tried AS {statement.sql}")
    try:
        for _ in range(WARM):
            await connection.fetchval(f"EXPLAIN {execute}")
        text = await connection.fetchval(f"EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) {execute}")
    finally:
        await connection.execute("DEALLOCATE tried")
    root = json.loads(text)[0]["Plan"]
    found = list(_nodes(root))
    return Cost(
        rows=sum(_rows_read(node) for node in found if "Scan" in node["Node Type"]),
        pages=root["Shared Hit Blocks"] + root["Shared Read Blocks"],
        scanned=frozenset(node["Relation Name"] for node in found if node["Node Type"] == "Seq Scan"),
        plan=text,
    )


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for inner in plan.get("Plans", ()):
        yield from _nodes(inner)


def _rows_read(node: dict[str, Any]) -> int:
    removed = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
    read: float = (node["Actual Rows"] + removed) * node["Actual Loops"]
    return round(read)


def _quoted(value: str | None) -> str:
    return "NULL" if value is None else "'" + value.replace("'", "''") + "'"
