"""In a long trail every page is found through an index, at any depth: the statements that really ran."""

from datetime import datetime
from functools import partial
from itertools import product

from core.database.client import Database
from features.audit import queries
from features.audit.schemas import AuditQuery, Place
from features.audit.sql.recent import recent_statement
from features.audit.tests.factories import seed
from tests.fixtures.database import Connection
from tests.fixtures.plans import assert_found_by_index, statement_of

ROWS = 60_000
NEWEST = "2025-06-01 12:00:00Z"
EARLY = datetime.fromisoformat("2025-05-01T00:00:00Z")
MIDDLE = Place(datetime.fromisoformat("2025-05-11T16:00:00Z"), 30_000)

FILTERS: list[tuple[AuditQuery, list[object], str]] = [
    (AuditQuery(), [], "audit_entries_at_id_idx"),
    (AuditQuery(entity="audit"), ["audit"], "audit_entries_entity_at_id_idx"),
    (
        AuditQuery(entity="file", action="deleted"),
        ["file", "deleted"],
        "audit_entries_entity_action_at_id_idx",
    ),
    (AuditQuery(action="deleted"), ["deleted"], "audit_entries_action_at_id_idx"),
    (AuditQuery(actor="rare"), ["rare"], "audit_entries_actor_at_id_idx"),
    (AuditQuery(since=EARLY), [EARLY], "audit_entries_at_id_idx"),
    (AuditQuery(until=EARLY), [EARLY], "audit_entries_at_id_idx"),
    (AuditQuery(actor="rare", until=EARLY), ["rare", EARLY], "audit_entries_actor_at_id_idx"),
]


async def test_every_page_is_found_through_its_index(db: Database, connection: Connection) -> None:
    await seed(connection, ROWS, until=NEWEST)
    for after, (wanted, arguments, index) in product((None, MIDDLE), FILTERS):
        if after is not None and wanted.until is not None:
            continue
        place: list[object] = [after.at, after.at, after.id] if after else []
        read = partial(queries.find_entries, wanted=wanted, after=after, offset=0, take=51)
        statement = await statement_of(db, connection, "audit_entries", read)
        used = await assert_found_by_index(connection, statement, [*arguments, *place, 51, 0])
        assert used == [index], (wanted, after)


async def test_the_entries_of_one_row_or_request_are_looked_up(db: Database, connection: Connection) -> None:
    await seed(connection, ROWS, until=NEWEST)
    for wanted, arguments, index in (
        (AuditQuery(entity_id="row-700"), ["row-700"], "audit_entries_entity_id_at_id_idx"),
        (AuditQuery(request_id="request-700"), ["request-700"], "audit_entries_request_id_idx"),
    ):
        read = partial(queries.find_entries, wanted=wanted, after=None, offset=0, take=51)
        statement = await statement_of(db, connection, "audit_entries", read)
        used = await assert_found_by_index(connection, statement, [*arguments, 51, 0])
        assert used == [index], wanted


async def test_recent_entries_of_each_kind_are_read_from_their_newest(connection: Connection) -> None:
    await seed(connection, ROWS, until=NEWEST)
    arguments: list[object] = [EARLY, 100, "title", "audit", "updated", "name", "file", "deleted"]
    used = await assert_found_by_index(connection, recent_statement(2), arguments)
    assert set(used) == {"audit_entries_entity_action_at_id_idx"}
