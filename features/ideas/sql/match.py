"""Ideas by text, and in orders that are expressions: full-text match, rank and indexes on expressions, which
Prisma cannot say. Finds ids; the rows are read by typed calls.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from core.database.client import Database
from core.database.conditions import Arguments, argument, beyond
from core.http.pagination import Key
from features.ideas.schemas import MAX_PAGE, IdeaFilter, IdeaQuery, OrderBy

_WORDS: Final = "handover_words(title, description)"
_RANKED_AT_MOST: Final = 300
"""Of more matches than this the newest are ranked."""

_BEST: Final = f"""
WITH matching AS MATERIALIZED (
    SELECT id, created_at FROM ideas WHERE {_WORDS} @@ handover_query($1)),
newest AS (SELECT id FROM matching ORDER BY created_at DESC, id LIMIT {_RANKED_AT_MOST})
SELECT ideas.id FROM ideas JOIN newest USING (id)
ORDER BY ts_rank({_WORDS}, handover_query($1)) DESC, created_at DESC, ideas.id LIMIT $2::int
"""

# The migration has an index on each of the expressions with the id, read forwards and backwards.
_KEYS: Final[dict[OrderBy, str]] = {
    "created_at": "created_at",
    "updated_at": "coalesce(updated_at, created_at)",
    "title": "handover_fold(title)",
    "priority": "array_position(ARRAY['low', 'medium', 'high', 'critical'], priority)",
    "status": "array_position("
    "ARRAY['new', 'triage', 'in_progress', 'review', 'completed', 'rejected'], status)",
    "due_date": "coalesce(due_date, '{}infinity'::timestamptz)",
}
_MOMENTS: Final = ("created_at", "updated_at", "due_date")


Place = tuple[Key, str]
"""The sort key of an idea, and its id: None is the key of an idea without a due date."""


@dataclass(frozen=True, slots=True)
class Page:
    """Ideas in their order; `total` match in all, or 0. `last` is the last one's place, if there are more."""

    ids: list[str]
    total: int
    last: Place | None


async def find_page(
    db: Database, query: IdeaQuery, after: Place | None, take: int, *, counted: bool = True
) -> Page:
    """`after` belongs to the query's order."""
    sql, arguments = page_statement(query, after, take, counted=counted)
    [row] = await db.query_raw(sql, *arguments)
    ids, key = row["ids"][:take], row["last"]
    if len(ids) == len(row["ids"]):
        return Page(ids, row["total"], None)
    if key is not None and query.order_by in _MOMENTS:
        key = datetime.fromisoformat(key)
    return Page(ids, row["total"], (key, ids[-1]))


async def find_best(db: Database, text: str, *, limit: int) -> list[str]:
    """The best match first; words in the title count more."""
    return [row["id"] for row in await db.query_raw(_BEST, text, limit)]


def page_statement(
    query: IdeaQuery, after: Place | None, take: int, *, counted: bool = True
) -> tuple[str, Arguments]:
    """One row: the ids, one more than `take`, the sort key of the last one within it, how many match."""
    arguments = Arguments()
    conditions = _conditions(query, arguments)
    total = _total(query, conditions) if counted else "0"
    if after is not None:
        conditions = [*conditions, _beyond(query, after, arguments)]
    # Where there is no due date the index has a moment that is none.
    key = "due_date" if query.order_by == "due_date" else _KEYS[query.order_by]
    rows = f"SELECT id, {key} AS key FROM ideas{_where(conditions)} ORDER BY {_order(query)}"
    size = f"{arguments.add(take)}::int"
    if query.offset:
        rows += f" OFFSET {arguments.add(query.offset)}::int"
    elif take <= MAX_PAGE:
        # A plan for all limits reckons with a tenth of the rows that there can be, so of few.
        rows = f"SELECT * FROM ({rows} LIMIT {MAX_PAGE + 1}) AS beginning"
    rows += f" LIMIT {size} + 1"
    if counted and after is None and not query.offset:
        # A first page that holds all of them has counted them.
        total = f"CASE WHEN count(*) <= {size} THEN count(*) ELSE ({total}) END"
    return (
        f"SELECT coalesce(array_agg(id ORDER BY place), '{{}}') AS ids, "
        f"max(key) FILTER (WHERE place = {size}) AS last, ({total})::int AS total "
        f"FROM (SELECT *, row_number() OVER () AS place FROM ({rows}) AS wanted) AS page",
        arguments,
    )


def _key(query: IdeaQuery) -> str:
    return _KEYS[query.order_by].format("-" if query.direction == "desc" else "")


def _beyond(query: IdeaQuery, after: Place, arguments: Arguments) -> str:
    key, row_id = after
    bound = argument(key, arguments)
    if query.order_by == "due_date":
        bound = f"coalesce({bound}::timestamptz, '{'-' if query.direction == 'desc' else ''}infinity')"
    turned = query.order_by == "created_at"
    return beyond(_key(query), query.direction, bound, arguments.add(row_id), ids_turned=turned)


def _order(query: IdeaQuery) -> str:
    """Ties go by id, in the direction of the index: that of creation has the newest first."""
    way = query.direction
    if query.order_by in query.kinds:
        # All have the same rank: without this the index of ranks would be read up to it.
        return f"id {way}"
    backwards = "asc" if way == "desc" else "desc"
    return f"{_key(query)} {way}, id {backwards if query.order_by == 'created_at' else way}"


def _conditions(wanted: IdeaFilter, arguments: Arguments) -> list[str]:
    # Enumerated values stand in the text: one of them is rare, another common, and each gets the plan that is
    # best for it.
    found = [f"{name} = '{value}'" for name, value in wanted.kinds.items()]
    found += [f"{name} = {arguments.add(value)}" for name, value in wanted.links.items()]
    if wanted.search is not None:
        found.append(f"{_WORDS} @@ handover_query({arguments.add(wanted.search)})")
    return found


def _total(wanted: IdeaFilter, conditions: list[str]) -> str:
    if wanted.links or wanted.search is not None:
        return f"SELECT count(*) FROM ideas{_where(conditions)}"
    return f"SELECT coalesce(sum(ideas), 0) FROM idea_totals{_where(conditions)}"


def _where(conditions: list[str]) -> str:
    return f" WHERE {' AND '.join(conditions)}" if conditions else ""
