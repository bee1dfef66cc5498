"""Entries of the audit trail are there for each table, and show each of its columns, also new ones."""

from typing import Final

from core.app import FEATURES
from core.feature import entities_of
from tests.database.remarks import remarks
from tests.fixtures.database import Connection
from tests.fixtures.trail import audit_of

MISSING: Final = """
    SELECT entry.tgrelid::regclass::text AS "table", attname AS "column"
    FROM pg_trigger AS entry JOIN pg_proc ON pg_proc.oid = tgfoid JOIN pg_attribute ON attrelid = tgrelid
    WHERE tgname = 'audited_insert' AND attnum > 0 AND NOT attisdropped
        AND prosrc !~ ('"later"\\.' || quote_ident(attname) || '[^a-z0-9_]')
"""
UNAUDITED: Final = """
    SELECT tgrelid::regclass::text AS "table" FROM pg_trigger WHERE tgname = 'logged_insert'
    EXCEPT SELECT tgrelid::regclass::text FROM pg_trigger WHERE tgname = 'audited_insert'
"""
ENTITIES: Final = """
    SELECT replace(proname, 'handover_audit_', '') AS "entity"
    FROM pg_trigger JOIN pg_proc ON pg_proc.oid = tgfoid WHERE tgname = 'audited_insert'
"""
OF_IMPORTS: Final = {"import_job_id", "import_version", "legacy"}
UNTOLD: Final = {
    ("api_keys", "secret_hash"),
    ("api_keys", "last_used_at"),
    ("files", "object_key"),
    ("files", "download_count"),
    ("webhooks", "secret"),
    ("webhooks", "previous_secret"),
    ("webhooks", "position"),
}
"""Secrets, places, and what changes without anybody changing it."""


async def test_every_column_is_told(connection: Connection) -> None:
    rows = await connection.fetch(MISSING)
    missing = {(row["table"], row["column"]) for row in rows if row["column"] not in OF_IMPORTS}
    assert missing >= UNTOLD
    told = sorted(f"{table}.{column}" for table, column in missing - UNTOLD)
    assert not told, f"a migration: SELECT handover_audit(table, entity, columns) anew, with {told}"


async def test_every_table_that_answers_are_made_of_is_audited(connection: Connection) -> None:
    """But for the index of documents, which says what others do."""
    found = {row["table"] for row in await connection.fetch(UNAUDITED)} - {"search_documents"}
    assert not found, f"a migration: SELECT handover_audit(table, entity, columns) for {sorted(found)}"


async def test_every_kind_of_row_that_is_audited_is_in_a_manifest(connection: Connection) -> None:
    found = {row["entity"] for row in await connection.fetch(ENTITIES)} - set(entities_of(FEATURES))
    assert not found, f"features/*/feature.py: `names_of`, or `entities`, with {sorted(found)}"


async def test_a_table_that_gets_a_column_is_audited_again(connection: Connection) -> None:
    async with remarks(connection):
        await connection.execute(
            """
            INSERT INTO remarks VALUES ('one', 'ada');
            ALTER TABLE remarks ADD COLUMN mood text;
            SELECT handover_audit('remarks', 'remark', '{id,author,mood}');
            """
        )
        await connection.execute("UPDATE remarks SET mood = 'good'")
        assert await connection.fetchval("SELECT row_version FROM remarks") == 2
        _, changed = await audit_of(connection, "remark", "one")
    assert changed["changes"] == {"mood": {"before": None, "after": "good"}}
