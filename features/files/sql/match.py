"""Full-text match of files, which Prisma cannot express. Finds ids; typed calls read the rows."""

from collections.abc import Mapping
from typing import Any, Final

from core.database.client import Database
from core.database.statements import Arguments, best_statement, condition
from features.files.schemas import Order

WORDS: Final = "handover_words(original_name, description)"
_RANKED_AT_MOST: Final = 1000
"""Upper bound of the matches that are ranked: the newest."""


async def find_matching(
    db: Database, text: str, where: Mapping[str, Any], order: Order, *, offset: int, take: int
) -> list[str]:
    """Ids of a page, in its order. `where` has the conditions that a typed call can express."""
    statement, arguments = page_statement(text, where, order, offset=offset, take=take)
    return [row["id"] for row in await db.query_raw(statement, *arguments)]


def page_statement(
    text: str, where: Mapping[str, Any], order: Order, *, offset: int, take: int
) -> tuple[str, Arguments]:
    arguments = Arguments()
    columns = ", ".join(f"{column} {'ASC' if ascending else 'DESC'}" for column, ascending in order)
    statement = f"SELECT id {_matching(text, where, arguments)} ORDER BY {columns} "
    statement += f"LIMIT {arguments.add(take)}::int OFFSET {arguments.add(offset)}::int"
    return statement, arguments


async def count_matching(db: Database, text: str, where: Mapping[str, Any]) -> int:
    arguments = Arguments()
    statement = f"SELECT count(*)::int AS total {_matching(text, where, arguments)}"
    [row] = await db.query_raw(statement, *arguments)
    return int(row["total"])


async def search_files(db: Database, text: str, where: Mapping[str, Any], limit: int) -> list[str]:
    """The ids of the best matches first."""
    statement, arguments = best_statement("files", WORDS, text, where, limit=limit, ranked=_RANKED_AT_MOST)
    return [row["id"] for row in await db.query_raw(statement, *arguments)]


def _matching(text: str, where: Mapping[str, Any], arguments: Arguments) -> str:
    words = f"{WORDS} @@ handover_query({arguments.add(text)})"
    return f"FROM files WHERE {words} AND {condition(where, arguments)}"
