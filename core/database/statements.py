"""Statements that a typed call cannot say. They find or count rows by words, by expressions, by the day of
a moment: places (the sort key and the id), for the rows of a page come by a typed call, whose conditions
are written as SQL here. They lock many rows in one order, and update them with values of their own.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Generic, Protocol, Self, TypeVar

import orjson

from core.database.arguments import isoformat
from core.database.client import Database
from core.database.writes import Write

_SIGNS: Final = {"equals": "=", "lt": "<", "lte": "<=", "gt": ">", "gte": ">="}

_SHORT: Final = (101, 1001)
"""Sizes of pages, one row more each, that get a plan of their own."""

Place = tuple[Any, str]

_HOLD: Final = "SELECT id FROM {table} WHERE id = ANY($1::text[]) ORDER BY id FOR {lock}"

# A row's columns keep their values where its JSON object has no key for them.
_UPDATE: Final = """
UPDATE {table} AS row SET {columns} FROM jsonb_each($1::jsonb) AS given(id, changes)
    JOIN {table} AS stored ON stored.id = given.id,
    LATERAL jsonb_populate_record(stored, given.changes) AS changed
WHERE row.id = changed.id
"""


class Arguments(list[object]):
    """Values of a statement's parameters, gathered while its text is made."""

    def add(self, value: object) -> str:
        """Placeholder of the added value."""
        self.append(value)
        return f"${len(self)}"


def condition(where: Mapping[str, Any], arguments: Arguments) -> str:
    """SQL of a typed `where` that holds columns, each with a value or with comparisons of it, and AND and OR
    of such. Raises KeyError for another comparison.
    """
    found: list[str] = []
    for name, value in where.items():
        if name in ("AND", "OR"):
            found.append(f"({f' {name} '.join(condition(each, arguments) for each in value)})")
        elif value is None:
            found.append(f"{name} IS NULL")
        else:
            comparisons = value if isinstance(value, Mapping) else {"equals": value}
            found += [
                f"{name} {_SIGNS[sign]} {argument(bound, arguments)}" for sign, bound in comparisons.items()
            ]
    return " AND ".join(found) or "true"


def argument(value: object, arguments: Arguments) -> str:
    """Placeholder of the value, with its type where PostgreSQL would take it for a text."""
    if isinstance(value, datetime):
        return f"{arguments.add(value.isoformat())}::timestamptz"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{arguments.add(value)}::int"
    return arguments.add(value)


class WithId(Protocol):
    id: str


Row = TypeVar("Row", bound=WithId)


@dataclass(frozen=True, slots=True)
class KeyOrder:
    """By the expression `key`, in the direction `way` (asc, desc); ties go by id in the same direction or,
    `ids_turned`, in the other one. Without `key` all rows have the same one. `shown` is what a place has
    instead of it, and `none` stands in the order for a place that has nothing there.
    """

    key: str | None
    way: str
    ids_turned: bool = False
    shown: str | None = None
    none: str = "NULL"

    @property
    def columns(self) -> str:
        backwards = "asc" if self.way == "desc" else "desc"
        ids = f"id {backwards if self.ids_turned else self.way}"
        return ids if self.key is None else f"{self.key} {self.way}, {ids}"

    def beyond(self, after: Sequence[Any], arguments: Arguments) -> str:
        value, row_id = after
        if self.key is None:
            return f"id {'<' if self.way == 'desc' else '>'} {arguments.add(row_id)}"
        bound, row_id = self.none if value is None else argument(value, arguments), arguments.add(row_id)
        past, further = "<>" if self.way == "desc" else "><"
        if not self.ids_turned:
            return f"({self.key}, id) {past} ({bound}, {row_id})"
        # The first condition repeats part of the second: it is the one that an index can jump to.
        return f"{self.key} {past}= {bound} AND ({self.key} {past} {bound} OR id {further} {row_id})"


def page_statement(
    rows: str, order: KeyOrder, arguments: Arguments, *, after: Sequence[Any] | None, offset: int, take: int
) -> str:
    """Statement that finds a page of places, the columns `key` and `id`. `rows`: FROM and WHERE, whose values
    are in `arguments`.
    """
    if after is not None:
        rows += f" AND {order.beyond(after, arguments)}"
    statement = f"SELECT {order.shown or order.key} AS key, id {rows} ORDER BY {order.columns}"
    short = next((size for size in _SHORT if take <= size), None)
    if offset:
        statement += f" OFFSET {arguments.add(offset)}::int"
    elif short is not None:
        # A plan for all limits reckons with a tenth of the rows that there can be, so of few.
        statement = f"SELECT * FROM ({statement} LIMIT {short}) AS beginning"
    return f"{statement} LIMIT {arguments.add(take)}::int"


def places_of(rows: Sequence[Mapping[str, Any]], *, moments: bool) -> list[Place]:
    """Places in the rows of a `page_statement`. `moments`: its keys are some."""
    read: Callable[[Any], Any] = datetime.fromisoformat if moments else lambda key: key
    return [(None if row["key"] is None else read(row["key"]), row["id"]) for row in rows]


@dataclass(frozen=True, slots=True)
class Ranked(Generic[Row]):
    """Rows that match a text, the best first, each with its score (between 0 and 1); `total` match in all."""

    rows: list[tuple[Row, float]]
    total: int

    @classmethod
    async def of(
        cls, best: Sequence[Mapping[str, Any]], read: Callable[[list[str]], Awaitable[Sequence[Row]]]
    ) -> Self:
        """Of the rows of a `best_statement`; `read` gives those of the ids that are still stored."""
        rows = {row.id: row for row in await read([each["id"] for each in best])}
        found = [(rows[each["id"]], each["score"]) for each in best if each["id"] in rows]
        return cls(found, best[0]["total"] if best else 0)


def best_statement(
    table: str,
    words: str,
    text: str,
    where: Mapping[str, Any],
    *,
    limit: int,
    ranked: int,
    query: str = "handover_query({})",
    weighed: str | None = None,
) -> tuple[str, Arguments]:
    """Ids and scores of the rows whose `words` match the text's `query` best, how many match in all
    (`total`), and the arguments. Of more matches than `ranked` the newest are ranked, by words as `weighed`.
    """
    arguments = Arguments()
    query = query.format(arguments.add(text))
    return (
        f"""
        WITH matching AS MATERIALIZED (
            SELECT id, created_at FROM {table} WHERE {words} @@ {query} AND {condition(where, arguments)}),
        newest AS (SELECT id FROM matching ORDER BY created_at DESC, id LIMIT {ranked})
        SELECT id, ts_rank({weighed or words}, {query}, 32) AS score,
            (SELECT count(*)::int FROM matching) AS total
        FROM {table} JOIN newest USING (id)
        ORDER BY score DESC, created_at DESC, id LIMIT {arguments.add(limit)}::int
        """,
        arguments,
    )


async def created_by_day(
    db: Database, table: str, since: datetime, where: Mapping[str, Any] | None = None
) -> dict[str, int]:
    """Numbers of the table's rows made on each day (UTC, `2025-10-23`) from `since` on, without
    days that had none. `where` holds conditions of a typed call.
    """
    arguments = Arguments()
    found = condition({"created_at": {"gte": since}, **(where or {})}, arguments)
    rows = await db.query_raw(
        "SELECT to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS day, count(*)::int AS count "
        f"FROM {table} WHERE {found} GROUP BY day",
        *arguments,
    )
    return {row["day"]: row["count"] for row in rows}


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
