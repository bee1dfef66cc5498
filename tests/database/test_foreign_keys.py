"""A row that a foreign key changes has changed: it counts its version and has its entry."""

from tests.fixtures.database import Connection

# Those that empty columns of the row or set them anew; the others delete it or refuse.
_CHANGING = """
SELECT conrelid::regclass::text AS name, (
    SELECT array_agg(tgname::text) FROM pg_trigger WHERE tgrelid = conrelid AND tgenabled = 'O') AS triggers
FROM pg_constraint WHERE contype = 'f' AND confdeltype IN ('n', 'd')
"""


async def test_every_table_whose_rows_a_foreign_key_changes_is_audited(connection: Connection) -> None:
    tables = {row["name"]: set(row["triggers"] or ()) for row in await connection.fetch(_CHANGING)}
    assert tables.keys() >= {"files", "ideas"}
    for name, triggers in tables.items():
        assert {"audited_update", "versioned"} <= triggers, name
