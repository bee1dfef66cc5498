"""Projected reads: a typed `find_many` whose rows PostgreSQL writes as one text, so that neither the engine
nor Python builds an object of any row. The text's form is the caller's (`core.http.projection`).
"""

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final

from prisma import PrismaMethod

from core.database.errors import NotSupported


@dataclass(slots=True)
class Projection:
    """The statement around Prisma's own. In `sql` `$page` stands for Prisma's, and `$size` for the parameter
    `size`; its result is one row of one text. `select` are the columns, and the relations of one row, to ask
    for, as Prisma's argument.
    """

    sql: str
    select: dict[str, Any]
    size: int | None = None
    text: bytes | None = None
    asked: bool = False

    def ask(self, method: PrismaMethod, arguments: dict[str, Any]) -> dict[str, Any]:
        """Make the call's arguments those of this projection; returns what the engine has to know of it."""
        if self.asked:
            raise NotSupported("A projected read is one call of find_many; this is a second one.")
        self.asked = True
        relations = {name: True for name, columns in self.select.items() if columns is not True}
        if arguments.pop("include", {}) != relations:
            raise NotSupported(
                f"A projected read includes the relations that it shows and no others: {relations}."
            )
        arguments["select"] = self.select
        if relations:
            arguments["relationLoadStrategy"] = "join"
        wanted: dict[str, Any] = {"sql": self.sql}
        return wanted if self.size is None else {**wanted, "size": self.size}


current_projection: Final[ContextVar[Projection | None]] = ContextVar("projection", default=None)


async def project(projection: Projection, call: Callable[[], Awaitable[object]]) -> bytes:
    """The text that PostgreSQL makes of the rows of the one `find_many` that `call` awaits.

    Raises NotSupported or InputError for what cannot be projected: several calls or none, another method,
    `cursor`, `distinct`, a negative `take`.
    """
    token = current_projection.set(projection)
    try:
        await call()
    finally:
        current_projection.reset(token)
    if projection.text is None:
        raise NotSupported("A projected read is one call of find_many; there was none.")
    return projection.text
