"""Systems by text or tag, and in orders by an expression: full-text match and indexes on expressions, which
Prisma cannot say. Finds ids; the rows are read by typed calls.
"""

from collections.abc import Mapping
from typing import Any, Final

from core.database.client import Database
from core.database.conditions import condition
from core.database.json import Arguments
from features.systems.schemas import OrderBy, OrderDirection, SystemFilter, SystemQuery

_WORDS: Final = "handover_words(name, description)"

# Each pair is one index, read forwards and backwards; the migration has the same expressions.
_CHANGED: Final = "coalesce(updated_at, created_at)"
_ORDERS: Final[dict[tuple[OrderBy, OrderDirection], str]] = {
    ("created_at", "desc"): "created_at DESC, id",
    ("created_at", "asc"): "created_at, id DESC",
    ("updated_at", "desc"): f"{_CHANGED} DESC, id DESC",
    ("updated_at", "asc"): f"{_CHANGED}, id",
    ("name", "desc"): "handover_fold(name) DESC, id DESC",
    ("name", "asc"): "handover_fold(name), id",
}

_SEARCH: Final = f"""
SELECT id FROM systems, handover_query($1) AS query WHERE {_WORDS} @@ query
ORDER BY ts_rank({_WORDS}, query) DESC, name, id LIMIT $2::int
"""


async def find_matching(db: Database, query: SystemQuery, where: Mapping[str, Any]) -> list[str]:
    """The ids of a page, in its order. `where` holds the conditions that a typed call can say."""
    arguments = Arguments()
    statement = (
        f"SELECT id {_matching(query, where, arguments)} ORDER BY " + _ORDERS[query.order_by, query.direction]
    )
    statement += f" LIMIT {arguments.add(query.limit)}::int OFFSET {arguments.add(query.offset)}::int"
    return [row["id"] for row in await db.query_raw(statement, *arguments)]


async def count_matching(db: Database, wanted: SystemFilter, where: Mapping[str, Any]) -> int:
    arguments = Arguments()
    statement = f"SELECT count(*)::int AS total {_matching(wanted, where, arguments)}"
    [row] = await db.query_raw(statement, *arguments)
    return int(row["total"])


async def search_systems(db: Database, text: str, *, limit: int | None = None) -> list[str]:
    """The ids of the best matches first; words in the name count more."""
    return [row["id"] for row in await db.query_raw(_SEARCH, text, limit)]


def _matching(wanted: SystemFilter, where: Mapping[str, Any], arguments: Arguments) -> str:
    found = [condition(where, arguments)]
    if wanted.tag is not None:
        found.append(f"handover_tags(tags) @> ARRAY[{arguments.add(wanted.tag)}::text]")
    if wanted.search is not None:
        found.append(f"{_WORDS} @@ handover_query({arguments.add(wanted.search)})")
    return f"FROM systems WHERE {' AND '.join(found)}"
