"""With 20,000 rows every page, in every order, is found through an index: the statements that really ran."""

from datetime import UTC, datetime
from functools import partial
from itertools import product

from core.database.client import Database
from core.database.statements import Place
from features.ideas import queries
from features.ideas.schemas import Direction, IdeaQuery, OrderBy
from features.ideas.sql.match import find_matching, matching_statement
from features.ideas.tests.factories import seed
from tests.fixtures.database import Connection
from tests.fixtures.plans import assert_found_by_index, statement_of

ROWS = 20_000
MIDDLE: Place = (datetime(2025, 1, 1, 1, 20, tzinfo=UTC), "seed-9600")
DIRECTIONS: tuple[Direction, ...] = ("desc", "asc")

FILTERS: list[tuple[dict[str, str], list[object], str]] = [
    ({}, [], "ideas_created_at_id_idx"),
    ({"status": "new"}, ["new"], "ideas_status_created_at_id_idx"),
    ({"category": "api"}, ["api"], "ideas_category_created_at_id_idx"),
    ({"priority": "low"}, ["low"], "ideas_priority_created_at_id_idx"),
    ({"system_id": "system-3"}, ["system-3"], "ideas_system_id_created_at_id_idx"),
    ({"assigned_to": "person-7"}, ["person-7"], "ideas_assigned_to_created_at_id_idx"),
]
ORDERS: list[tuple[OrderBy, Direction, str]] = [
    ("title", "asc", "ideas_title_order_idx"),
    ("title", "desc", "ideas_title_order_idx"),
    ("updated_at", "asc", "ideas_changed_order_idx"),
    ("updated_at", "desc", "ideas_changed_order_idx"),
    ("priority", "asc", "ideas_priority_order_idx"),
    ("priority", "desc", "ideas_priority_order_idx"),
    ("status", "asc", "ideas_status_order_idx"),
    ("status", "desc", "ideas_status_order_idx"),
    ("due_date", "asc", "ideas_due_order_idx"),
    ("due_date", "desc", "ideas_due_last_order_idx"),
]


async def test_every_page_by_creation_is_found_through_its_index(
    db: Database, connection: Connection
) -> None:
    await seed(connection, ROWS, systems=500)
    await connection.execute("ANALYZE systems")
    for direction, after, (wanted, given, index) in product(DIRECTIONS, (None, MIDDLE), FILTERS):
        query = IdeaQuery.model_validate({**wanted, "order_direction": direction, "limit": 20})
        read = partial(queries.list_ideas, query=query, after=after, offset=0, size=20)
        statement = await statement_of(db, connection, "ideas", read)
        place: list[object] = [after[0], *after] if after else []
        # One system is joined to each idea.
        arguments = [1, *given, *place, 21]
        arguments += [] if query.links else [*given, 0]
        # A page with conditions has its own plan for each of their values.
        for mode in {False, not given and not place}:
            used = await assert_found_by_index(
                connection, statement, arguments, counters="idea_totals", for_all_values=mode
            )
            found = {name for name in used if not name.startswith("idea_totals")}
            assert found == {index, "systems_pkey"}, (direction, wanted, after, mode)


async def found_by(connection: Connection, query: IdeaQuery, after: Place | None = None) -> set[str]:
    """The indexes of the table of ideas."""
    sql, arguments = matching_statement(query, after, offset=0, take=21)
    values = [datetime.fromisoformat(str(value)) if "+00:00" in str(value) else value for value in arguments]
    used = await assert_found_by_index(connection, sql, values, counters="idea_totals")
    return {name for name in used if name.startswith("ideas_")}


async def test_every_other_order_is_the_order_of_an_index(db: Database, connection: Connection) -> None:
    await seed(connection, ROWS)
    for order_by, direction, index in ORDERS:
        query = IdeaQuery(order_by=order_by, order_direction=direction, limit=20)
        for offset in (ROWS // 2, ROWS - 40):
            places, _ = await find_matching(db, query, None, offset=offset, take=20)
            after = places[-1]
            assert await found_by(connection, query, after) == {index}, (order_by, direction, after)
        assert await found_by(connection, query) == {index}, (order_by, direction)


async def test_a_word_is_found_through_its_index(connection: Connection) -> None:
    await seed(connection, ROWS)
    query = IdeaQuery(search="word999", limit=20)
    for after in (None, MIDDLE):
        assert await found_by(connection, query, after) == {"ideas_words_idx"}
