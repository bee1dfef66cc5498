"""With 20,000 rows every page, in every order, is found through an index: the statements that really ran."""

from datetime import UTC, datetime
from functools import partial

from core.database.client import Database
from core.http.pagination import Position
from features.ideas import queries
from features.ideas.queries.lists import find_ids
from features.ideas.schemas import Direction, IdeaFilter, OrderBy
from features.ideas.tests.factories import seed
from tests.fixtures.database import Connection
from tests.fixtures.plans import assert_found_by_index, statement_of

ROWS = 20_000
MIDDLE = Position(datetime(2025, 1, 1, 1, 20, tzinfo=UTC), "seed-9600")
DIRECTIONS: tuple[Direction, ...] = ("desc", "asc")

FILTERS: list[tuple[IdeaFilter, list[object], str]] = [
    (IdeaFilter(), [], "ideas_created_at_id_idx"),
    (IdeaFilter(status="new"), ["new"], "ideas_status_created_at_id_idx"),
    (IdeaFilter(category="api"), ["api"], "ideas_category_created_at_id_idx"),
    (IdeaFilter(priority="low"), ["low"], "ideas_priority_created_at_id_idx"),
    (IdeaFilter(system_id="system-3"), ["system-3"], "ideas_system_id_created_at_id_idx"),
    (IdeaFilter(assigned_to="person-7"), ["person-7"], "ideas_assigned_to_created_at_id_idx"),
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
NOTHING: list[object] = [None] * 5


async def test_every_page_by_creation_is_found_through_its_index(
    db: Database, connection: Connection
) -> None:
    await seed(connection, ROWS, systems=500)
    for direction in DIRECTIONS:
        for after in (None, MIDDLE):
            place: list[object] = [after.created_at, after.created_at, after.id] if after else []
            for wanted, arguments, index in FILTERS:
                read = partial(
                    queries.find_ideas, db, wanted, direction=direction, after=after, offset=0, take=21
                )
                statement = await statement_of(connection, "ideas", read)
                used = await assert_found_by_index(connection, statement, [*arguments, *place, 21, 0])
                assert used == [index], (wanted, direction, after)


async def test_every_other_order_is_the_order_of_an_index(db: Database, connection: Connection) -> None:
    await seed(connection, ROWS)
    for order_by, direction, index in ORDERS:
        read = partial(find_ids, db, IdeaFilter(), order_by, direction, after=None, offset=0, take=21)
        statement = await statement_of(connection, "ideas", read)
        used = await assert_found_by_index(connection, statement, [*NOTHING, None, 21, 0])
        assert used == [index], (order_by, direction)


async def test_a_word_is_found_through_its_index(db: Database, connection: Connection) -> None:
    await seed(connection, ROWS)
    wanted = IdeaFilter(search="word999")
    for after in (None, MIDDLE):
        read = partial(find_ids, db, wanted, "created_at", "desc", after=after, offset=0, take=21)
        statement = await statement_of(connection, "ideas", read)
        place: list[object] = [after.created_at, after.id] if after else []
        used = await assert_found_by_index(connection, statement, [*NOTHING, "word999", *place, 21, 0])
        assert used == ["ideas_words_idx"]
