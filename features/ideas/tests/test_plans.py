"""With 20,000 rows every page, in every order, is found through an index."""

from datetime import UTC, datetime

from core.http.pagination import Position
from features.ideas.queries.reads import list_statement
from features.ideas.schemas import Direction, IdeaFilter, OrderBy
from features.ideas.tests.factories import seed
from tests.fixtures.database import Connection
from tests.fixtures.plans import assert_found_by_index

ROWS = 20_000
MIDDLE = Position(datetime(2025, 1, 1, 1, 20, tzinfo=UTC), "seed-9600")
DIRECTIONS: tuple[Direction, ...] = ("desc", "asc")

FILTERS: list[tuple[IdeaFilter, str]] = [
    (IdeaFilter(), "ideas_created_at_id_idx"),
    (IdeaFilter(status="new"), "ideas_status_created_at_id_idx"),
    (IdeaFilter(category="api"), "ideas_category_created_at_id_idx"),
    (IdeaFilter(priority="low"), "ideas_priority_created_at_id_idx"),
    (IdeaFilter(system_id="system-3"), "ideas_system_id_created_at_id_idx"),
    (IdeaFilter(assigned_to="person-7"), "ideas_assigned_to_created_at_id_idx"),
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


async def indexes_of(
    connection: Connection,
    wanted: IdeaFilter,
    order_by: OrderBy = "created_at",
    direction: Direction = "desc",
    after: Position | None = None,
) -> set[str]:
    """Those of the table of ideas."""
    sql, arguments = list_statement(wanted, order_by, direction, after=after, offset=0, size=20)
    values = [MIDDLE.created_at if "Z" in str(value) else value for value in arguments]
    used = await assert_found_by_index(connection, sql, values, counters="idea_totals")
    return {name for name in used if name.startswith("ideas_")}


async def test_every_page_by_creation_is_found_through_its_index(connection: Connection) -> None:
    await seed(connection, ROWS, systems=500)
    await connection.execute("ANALYZE systems")
    for direction in DIRECTIONS:
        for after in (None, MIDDLE):
            for wanted, index in FILTERS:
                used = await indexes_of(connection, wanted, "created_at", direction, after)
                assert used == {index}, (wanted, direction, after)


async def test_every_other_order_is_the_order_of_an_index(connection: Connection) -> None:
    await seed(connection, ROWS)
    for order_by, direction, index in ORDERS:
        used = await indexes_of(connection, IdeaFilter(), order_by, direction)
        assert used == {index}, (order_by, direction)


async def test_a_word_is_found_through_its_index(connection: Connection) -> None:
    await seed(connection, ROWS)
    for after in (None, MIDDLE):
        used = await indexes_of(connection, IdeaFilter(search="word999"), after=after)
        assert used == {"ideas_words_idx"}
