"""Systems by text or tag, and in orders by an expression: full-text match and indexes on expressions, which
Prisma cannot express. Finds ids; typed calls read the rows.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from core.database.client import Database
from core.database.statements import Arguments, KeyOrder, Place, condition, page_statement, places_of
from features.systems.schemas import OrderBy, SystemFilter, SystemQuery

_WORDS: Final = "handover_words(name, description)"

# The migration has an index on each of the expressions with the id, read forwards and backwards.
_KEYS: Final[dict[OrderBy, str]] = {
    "created_at": "created_at",
    "updated_at": "coalesce(updated_at, created_at)",
    "name": "handover_fold(name)",
}

_SEARCH: Final = f"""
SELECT id FROM systems, handover_query($1) AS query WHERE {_WORDS} @@ query
ORDER BY ts_rank({_WORDS}, query) DESC, name, id LIMIT $2::int
"""


async def find_matching(
    db: Database,
    query: SystemQuery,
    where: Mapping[str, Any],
    *,
    after: Sequence[Any] | None,
    offset: int,
    take: int,
) -> list[Place]:
    """Places of matching systems in the query's order. `where`: conditions that a typed call can express."""
    arguments = Arguments()
    rows, by = _matching(query, where, arguments), query.order_by
    order = KeyOrder(_KEYS[by], query.direction, ids_turned=by == "created_at")
    statement = page_statement(rows, order, arguments, after=after, offset=offset, take=take)
    return places_of(await db.query_raw(statement, *arguments), moments=by != "name")


async def count_matching(db: Database, wanted: SystemFilter, where: Mapping[str, Any]) -> int:
    arguments = Arguments()
    statement = f"SELECT count(*)::int AS total {_matching(wanted, where, arguments)}"
    [row] = await db.query_raw(statement, *arguments)
    return int(row["total"])


async def search_systems(db: Database, text: str, *, limit: int | None = None) -> list[str]:
    """Ids of matching systems, the best match first; words in the name count more."""
    return [row["id"] for row in await db.query_raw(_SEARCH, text, limit)]


def _matching(wanted: SystemFilter, where: Mapping[str, Any], arguments: Arguments) -> str:
    found = [condition(where, arguments)]
    if wanted.tag is not None:
        found.append(f"handover_tags(tags) @> ARRAY[{arguments.add(wanted.tag)}::text]")
    if wanted.search is not None:
        found.append(f"{_WORDS} @@ handover_query({arguments.add(wanted.search)})")
    return f"FROM systems WHERE {' AND '.join(found)}"
