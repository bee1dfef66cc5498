"""Reads as finished JSON: an idea, the board, and pages of the list with their total and cursor."""

from typing import Final, get_args

from core.database.client import Database
from core.database.json import Arguments, list_answer, row_answer
from core.http.pagination import Position
from core.http.rows import Row
from core.http.timestamps import to_iso
from features.ideas.queries.shape import idea_json
from features.ideas.schemas import MAX_PAGE, Direction, IdeaFilter, OrderBy, Status

_IDEA: Final = idea_json("row")
_FIND: Final = f"SELECT {row_answer('row.row_version', _IDEA)} FROM ideas AS row WHERE id = $1"

_LISTS: Final = ", ',', ".join(
    f"""'"{status}":[', string_agg({_IDEA}, ',') FILTER (WHERE status = '{status}'), ']'"""
    for status in get_args(Status)
)
_BOARD: Final = f"""
SELECT concat('{{', {_LISTS}, '}}') FROM (SELECT * FROM ideas ORDER BY created_at DESC, id) AS row
"""

COUNTED: Final = ("status", "category", "priority")
"""The conditions whose totals the counters of the table idea_totals know."""

_AFTER: Final[dict[Direction, str]] = {
    "desc": "created_at <= {0} AND (created_at < {0} OR id > {1})",
    "asc": "created_at >= {0} AND (created_at > {0} OR id < {1})",
}

# Each pair of lines is one index, read forwards and backwards; the migration has the same expressions.
_TITLE: Final = "handover_fold(title)"
_CHANGED: Final = "coalesce(updated_at, created_at)"
_PRIORITY: Final = "array_position(ARRAY['low', 'medium', 'high', 'critical'], priority)"
_STATUS: Final = (
    "array_position(ARRAY['new', 'triage', 'in_progress', 'review', 'completed', 'rejected'], status)"
)
_ORDERS: Final[dict[tuple[OrderBy, Direction], str]] = {
    ("created_at", "desc"): "created_at DESC, id",
    ("created_at", "asc"): "created_at, id DESC",
    ("updated_at", "desc"): f"{_CHANGED} DESC, id DESC",
    ("updated_at", "asc"): f"{_CHANGED}, id",
    ("title", "desc"): f"{_TITLE} DESC, id DESC",
    ("title", "asc"): f"{_TITLE}, id",
    ("priority", "desc"): f"{_PRIORITY} DESC, id DESC",
    ("priority", "asc"): f"{_PRIORITY}, id",
    ("status", "desc"): f"{_STATUS} DESC, id DESC",
    ("status", "asc"): f"{_STATUS}, id",
    ("due_date", "desc"): "coalesce(due_date, '-infinity'::timestamptz) DESC, id DESC",
    ("due_date", "asc"): "coalesce(due_date, 'infinity'::timestamptz), id",
}


async def list_ideas(
    db: Database,
    wanted: IdeaFilter,
    order_by: OrderBy = "created_at",
    direction: Direction = "desc",
    *,
    after: Position | None = None,
    offset: int = 0,
    size: int | None = None,
) -> bytes:
    """The whole answer; without `size` it holds all that match. `after` belongs to the order by creation."""
    sql, arguments = list_statement(wanted, order_by, direction, after=after, offset=offset, size=size)
    answer = await db.query_text(sql, *arguments)
    assert answer is not None  # an aggregate gives a row
    return answer


async def find_idea(db: Database, idea_id: str) -> Row | None:
    found = await db.query_text(_FIND, idea_id)
    return None if found is None else Row.parse(found)


async def board(db: Database) -> bytes:
    """Every idea, by status; newest first in each list."""
    found = await db.query_text(_BOARD)
    assert found is not None  # an aggregate gives a row
    return found


def list_statement(
    wanted: IdeaFilter,
    order_by: OrderBy,
    direction: Direction,
    *,
    after: Position | None,
    offset: int,
    size: int | None,
) -> tuple[str, Arguments]:
    arguments = Arguments()
    conditions = _conditions(wanted, arguments)
    total = _total(wanted, conditions)
    if after is not None:
        # The first condition repeats part of the second: it is the one that an index can jump to.
        moment = f"{arguments.add(to_iso(after.created_at))}::timestamptz"
        conditions = [*conditions, _AFTER[direction].format(moment, arguments.add(after.id))]
    order = _ORDERS[order_by, direction]
    if order_by in COUNTED and getattr(wanted, order_by) is not None:
        # All have the same rank: without this the index of ranks would be read up to it.
        order = "id DESC" if direction == "desc" else "id"
    rows = f"SELECT * FROM ideas{_where(conditions)} ORDER BY {order}"
    if offset:
        rows += f" OFFSET {arguments.add(offset)}::int"
    limit = None
    if size is not None:
        limit = arguments.add(size)
        if not offset:
            # A plan for all limits reckons with a tenth of the rows that there can be, so of few.
            rows = f"SELECT * FROM ({rows} LIMIT {MAX_PAGE + 1}) AS beginning"
        rows += f" LIMIT {limit}::int + 1"
    first = after is None and not offset
    place = ("row.created_at", "row.id") if order_by == "created_at" else None
    return list_answer(rows, _IDEA, total=total, first=first, size=limit, position=place), arguments


def _conditions(wanted: IdeaFilter, arguments: Arguments) -> list[str]:
    # Enumerated values stand in the text: one of them is rare, another common, and each gets the plan that is
    # best for it.
    found = [f"{name} = '{value}'" for name in COUNTED if (value := getattr(wanted, name)) is not None]
    for name in ("system_id", "assigned_to"):
        if (value := getattr(wanted, name)) is not None:
            found.append(f"{name} = {arguments.add(value)}")
    if wanted.search is not None:
        found.append(f"handover_words(title, description) @@ handover_query({arguments.add(wanted.search)})")
    return found


def _total(wanted: IdeaFilter, conditions: list[str]) -> str:
    if wanted.system_id is None and wanted.assigned_to is None and wanted.search is None:
        return f"SELECT coalesce(sum(ideas), 0) FROM idea_totals{_where(conditions)}"
    return f"SELECT count(*) FROM ideas{_where(conditions)}"


def _where(conditions: list[str]) -> str:
    return f" WHERE {' AND '.join(conditions)}" if conditions else ""
