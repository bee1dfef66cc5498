"""Ideas by text, and in orders that are expressions: full-text match, rank and indexes on expressions, which
Prisma cannot express. Finds ids; typed calls read the rows.
"""

from collections.abc import Sequence
from typing import Any, Final

from core.database.client import Database
from core.database.statements import Arguments, KeyOrder, Place, best_statement, page_statement, places_of
from features.ideas.schemas import IdeaFilter, IdeaQuery, OrderBy

_WORDS: Final = "handover_words(title, description)"
_RANKED_AT_MOST: Final = 300

# The migration has an index on each of the expressions with the id, read forwards and backwards.
_KEYS: Final[dict[OrderBy, str]] = {
    "created_at": "created_at",
    "updated_at": "coalesce(updated_at, created_at)",
    "title": "handover_fold(title)",
    "priority": "array_position(ARRAY['low', 'medium', 'high', 'critical'], priority)",
    "status": "array_position("
    "ARRAY['new', 'triage', 'in_progress', 'review', 'completed', 'rejected'], status)",
    "due_date": "coalesce(due_date, {none})",
}


async def find_matching(
    db: Database, query: IdeaQuery, after: Sequence[Any] | None, *, offset: int, take: int
) -> tuple[list[Place], int | None]:
    """In the query's order, to which `after` belongs; for a page also how many match in all."""
    statement, arguments = matching_statement(query, after, offset=offset, take=take)
    rows = await db.query_raw(statement, *arguments)
    places = places_of(rows, moments=query.order_by in ("created_at", "updated_at", "due_date"))
    if query.take is None:
        return places, None
    return places, rows[0]["total"] if rows else await _count(db, query)


async def find_best(db: Database, text: str, *, limit: int) -> list[dict[str, Any]]:
    """As of `best_statement`; words in the title count more."""
    statement, arguments = best_statement("ideas", _WORDS, text, {}, limit=limit, ranked=_RANKED_AT_MOST)
    return await db.query_raw(statement, *arguments)


def matching_statement(
    query: IdeaQuery, after: Sequence[Any] | None, *, offset: int, take: int
) -> tuple[str, Arguments]:
    arguments = Arguments()
    matching = _matching(query, arguments)
    page = page_statement(
        f"FROM ideas WHERE {matching}", _order(query), arguments, after=after, offset=offset, take=take
    )
    total = "NULL" if query.take is None else f"({_total(query, matching)})"
    return f"SELECT *, {total} AS total FROM ({page}) AS page", arguments


def _order(query: IdeaQuery) -> KeyOrder:
    by, way = query.order_by, query.direction
    if by in query.kinds:
        return KeyOrder(None, way, shown=_KEYS[by])
    # Ideas without a due date come last either way.
    none = f"'{'-' if way == 'desc' else ''}infinity'::timestamptz"
    shown = "due_date" if by == "due_date" else None
    return KeyOrder(_KEYS[by].format(none=none), way, ids_turned=by == "created_at", shown=shown, none=none)


def _matching(wanted: IdeaFilter, arguments: Arguments) -> str:
    # Enumerated values stand in the text: one of them is rare, another common, and each gets the plan that is
    # best for it.
    found = [f"{name} = '{value}'" for name, value in wanted.kinds.items()]
    found += [f"{name} = {arguments.add(value)}" for name, value in wanted.links.items()]
    if wanted.search is not None:
        found.append(f"{_WORDS} @@ handover_query({arguments.add(wanted.search)})")
    return " AND ".join(found) or "true"


def _total(wanted: IdeaFilter, matching: str) -> str:
    if wanted.links or wanted.search is not None:
        return f"SELECT count(*)::int AS total FROM ideas WHERE {matching}"
    return f"SELECT coalesce(sum(ideas), 0)::int AS total FROM idea_totals WHERE {matching}"


async def _count(db: Database, wanted: IdeaFilter) -> int:
    arguments = Arguments()
    [row] = await db.query_raw(_total(wanted, _matching(wanted, arguments)), *arguments)
    return int(row["total"])
