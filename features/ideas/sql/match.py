"""Ideas by text, and in orders that are expressions: full-text match, rank and indexes on expressions, which
Prisma cannot say. Finds ids; the rows are read by typed calls.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from core.database.client import Database
from core.database.json import Arguments
from core.http.pagination import Position
from core.http.timestamps import to_iso
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


@dataclass(frozen=True, slots=True)
class Page:
    """Ideas in their order, of `total` that match; `last` is the last one's position, if there are more."""

    ids: list[str]
    total: int
    has_more: bool
    last: Position | None


async def find_page(db: Database, query: IdeaQuery, after: Position | None, take: int | None) -> Page:
    """`after` belongs to the order by creation, as `last` does. Without `take` all that match."""
    sql, arguments = page_statement(query, after, take)
    [row] = await db.query_raw(sql, *arguments)
    ids, last = row["ids"][:take], None
    has_more = len(ids) < len(row["ids"])
    if has_more and query.order_by == "created_at":
        last = Position(datetime.fromisoformat(row["last"]), ids[-1])
    return Page(ids, row["total"], has_more, last)


async def find_best(db: Database, text: str, *, limit: int) -> list[str]:
    """The best match first; words in the title count more."""
    return [row["id"] for row in await db.query_raw(_BEST, text, limit)]


def page_statement(query: IdeaQuery, after: Position | None, take: int | None) -> tuple[str, Arguments]:
    """One row: the ids, one more than `take`, when the last one within it was created, how many match."""
    arguments = Arguments()
    conditions = _conditions(query, arguments)
    total, last = _total(query, conditions), "NULL"
    if after is not None:
        moment, row_id = f"{arguments.add(to_iso(after.created_at))}::timestamptz", arguments.add(after.id)
        past, beyond = "<>" if query.direction == "desc" else "><"
        # The first condition repeats part of the second: it is the one that an index can jump to.
        conditions = [
            *conditions,
            f"created_at {past}= {moment} AND (created_at {past} {moment} OR id {beyond} {row_id})",
        ]
    rows = f"SELECT id, created_at FROM ideas{_where(conditions)} ORDER BY {_order(query)}"
    if query.offset:
        rows += f" OFFSET {arguments.add(query.offset)}::int"
    if take is not None:
        size = f"{arguments.add(take)}::int"
        if not query.offset and take <= MAX_PAGE:
            # A plan for all limits reckons with a tenth of the rows that there can be, so of few.
            rows = f"SELECT * FROM ({rows} LIMIT {MAX_PAGE + 1}) AS beginning"
        rows += f" LIMIT {size} + 1"
        last = f"max(created_at) FILTER (WHERE place = {size})"
        if after is None and not query.offset:
            # A first page that holds all of them has counted them.
            total = f"CASE WHEN count(*) <= {size} THEN count(*) ELSE ({total}) END"
    return (
        f"SELECT coalesce(array_agg(id ORDER BY place), '{{}}') AS ids, {last} AS last, "
        f"({total})::int AS total "
        f"FROM (SELECT *, row_number() OVER () AS place FROM ({rows}) AS wanted) AS page",
        arguments,
    )


def _order(query: IdeaQuery) -> str:
    """Ties go by id, in the direction of the index: that of creation has the newest first."""
    way = query.direction
    if query.order_by in query.kinds:
        # All have the same rank: without this the index of ranks would be read up to it.
        return f"id {way}"
    key = _KEYS[query.order_by].format("-" if way == "desc" else "")
    backwards = "asc" if way == "desc" else "desc"
    return f"{key} {way}, id {backwards if query.order_by == 'created_at' else way}"


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
