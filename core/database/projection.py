"""Projected reads: a typed `find_many` whose rows PostgreSQL writes as one text, so that neither the engine
nor Python builds an object of any row. The text's form is the caller's (`core.http.answers.projection`). A
second typed call, for a total, becomes a part of the same statement.
"""

from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final

import orjson
from prisma import PrismaMethod

from core.database.errors import NotSupported

NO_TOTAL: Final = "A total is one call of count, or of group_by with one sum."


@dataclass(slots=True)
class Projection:
    """The statement around Prisma's own. In `sql` `$page` stands for that of the rows, `$total` for that of
    the total, whose first column is to be added up; its result is one row of one text. `select` are the
    columns, and the relations of one row, to ask for, as Prisma's argument; `take` is how many rows at most.
    """

    sql: str
    select: dict[str, Any]
    take: int | None = None
    counting: bool = False
    total: str | None = None
    text: bytes | None = None
    asked: bool = False

    def count(self, operation: str, model: str | None, arguments: dict[str, Any]) -> Any:
        """Keep the call of the total, to send it with that of the rows; returns a result meanwhile."""
        sums = [len(asked) for name, asked in arguments.items() if name.startswith("_")]
        is_sum = operation == "groupBy" and sums == [1] and "_sum" in arguments
        is_count = operation == "count" and arguments.get("select") == {"_all": True}
        if self.total is not None or not (is_sum or is_count):
            raise NotSupported(NO_TOTAL)
        self.total = orjson.dumps({"op": operation, "model": model, "args": arguments}).decode()
        return {"_count": {"_all": 0}} if is_count else []

    def ask(self, method: PrismaMethod, arguments: dict[str, Any]) -> dict[str, Any]:
        """Change the call's arguments to those of this projection; returns the engine's part of it."""
        if self.asked:
            raise NotSupported("A projected read is one call of find_many; this is a second one.")
        self.asked = True
        relations = {name: True for name, columns in self.select.items() if columns is not True}
        if arguments.pop("include", {}) != relations:
            raise NotSupported(
                f"A projected read includes the relations that it shows and no others: {relations}."
            )
        if self.take is not None and arguments.get("take") != self.take:
            raise NotSupported(f"A projected page takes as many rows as it is told to: {self.take}.")
        if self.take is not None and _has_one_plan(arguments):
            self.sql = self.sql.replace("$page", _bounded(self.take))
        arguments |= {"select": self.select, "relationLoadStrategy": "join"}
        return {"sql": self.sql, "total": self.total}


def _has_one_plan(arguments: Mapping[str, Any]) -> bool:
    """True for a page of a whole list, or of the rows with one value in a column: an index on that and the
    order gives it whatever the value. With more conditions each call is to be planned: some of their values
    are rare, others common, and each has its own best plan.
    """
    where = arguments.get("where") or {}
    return (
        not arguments.get("skip")
        and len(where) <= 1
        and not any(isinstance(value, dict | list) for value in where.values())
    )


def _bounded(take: int) -> str:
    """A page with a bound in its text, `take` rounded up to two binary digits for sizes that are alike to
    share it: PostgreSQL then makes one plan for all calls. Of a limit that is a parameter it knows nothing,
    reckons with a tenth of the table, finds that plan too dear, and plans each call anew.
    """
    step = max(take.bit_length() - 2, 0)
    return f"SELECT * FROM ($page) AS every LIMIT {-(-take >> step) << step}"


current_projection: Final[ContextVar[Projection | None]] = ContextVar("projection", default=None)


async def project(
    projection: Projection,
    call: Callable[[], Awaitable[object]],
    total: Callable[[], Awaitable[object]] | None = None,
) -> bytes:
    """The text that PostgreSQL makes of the rows of the one `find_many` that `call` awaits, and of the one
    call that `total` awaits, of one snapshot.

    Raises NotSupported or InputError for what cannot be projected: several calls or none, another method,
    `cursor`, `distinct`, a negative `take`.
    """
    token = current_projection.set(projection)
    try:
        if total is not None:
            projection.counting = True
            await total()
            projection.counting = False
            if projection.total is None:
                raise NotSupported(NO_TOTAL)
        await call()
    finally:
        current_projection.reset(token)
    if projection.text is None:
        raise NotSupported("A projected read is one call of find_many; there was none.")
    return projection.text
