"""A registry of any size, written by the database itself. Values are skewed as real ones are: few kinds are
common, some are rare.
"""

from dataclasses import dataclass
from typing import Final

import asyncpg

from tests.fixtures.database import Connection

CHANCE: Final = """
CREATE FUNCTION pg_temp.any(salt int, below int, n int) RETURNS int LANGUAGE SQL IMMUTABLE
    RETURN (hashint8extended(n, salt) & 1073741823)::int % below
"""
"""A number that is the same in every run. Values with different salts have nothing to do with each other."""

STATEMENTS: Final = {
    "systems": """
        INSERT INTO systems (id, name, description, status, type, category, owner, tags, last_checked,
            created_at)
        SELECT 'system-' || n, 'System ' || n, 'Serves area ' || pg_temp.any(1, 100, n),
            (ARRAY['online', 'online', 'online', 'degraded', 'offline', 'planned'])[1 + pg_temp.any(2, 6, n)],
            (ARRAY['api', 'webapp', 'docs', 'tool'])[1 + pg_temp.any(3, 4, n)],
            'category ' || pg_temp.any(4, 20, n), 'owner-' || pg_temp.any(5, 50, n),
            ARRAY['tag' || pg_temp.any(6, 100, n)], CASE WHEN pg_temp.any(7, 10, n) > 0 THEN now() END,
            timestamptz '2024-01-01Z' + n * interval '1 hour'
        FROM generate_series(1, $1::int) AS n""",
    "ideas": """
        INSERT INTO ideas (id, title, description, status, category, priority, tags, system_id, assigned_to,
            due_date, completed_at, created_at, updated_at)
        SELECT 'idea-' || n, 'Idea ' || md5(n::text), 'About word' || pg_temp.any(1, 1000, n), status,
            CASE WHEN pg_temp.any(2, 200, n) = 0 THEN 'infrastructure'
                ELSE (ARRAY['api', 'docs', 'dashboard', 'automation'])[1 + pg_temp.any(3, 4, n)] END,
            CASE WHEN pg_temp.any(4, 200, n) = 0 THEN 'critical'
                ELSE (ARRAY['low', 'medium', 'high'])[1 + pg_temp.any(5, 3, n)] END,
            ARRAY['tag' || n % 100],
            CASE WHEN pg_temp.any(6, 5, n) > 0 THEN 'system-' || 1 + pg_temp.any(7, $2::int, n) END,
            CASE WHEN pg_temp.any(8, 3, n) > 0 THEN 'person-' || pg_temp.any(9, 500, n) END,
            CASE WHEN pg_temp.any(10, 4, n) = 0
                THEN timestamptz '2026-01-01Z' + pg_temp.any(11, 999999, n) * interval '1 second' END,
            CASE WHEN status = 'completed' THEN now() END,
            timestamptz '2025-01-01Z' + n * interval '1 minute',
            CASE WHEN pg_temp.any(12, 2, n) = 0
                THEN timestamptz '2025-06-01Z' + pg_temp.any(13, 999999, n) * interval '1 second' END
        FROM (
            SELECT n, CASE WHEN pg_temp.any(14, 200, n) = 0 THEN 'triage' ELSE (ARRAY['new', 'in_progress',
                'review', 'completed', 'completed', 'completed', 'rejected'])[1 + pg_temp.any(15, 7, n)]
                END AS status
            FROM generate_series(1, $1::int) AS n
        ) AS made""",
    "items": """
        INSERT INTO items (id, title, description, status, category, priority, tags, created_at, updated_at)
        SELECT 'item-' || n, 'Item ' || md5(n::text), 'About word' || pg_temp.any(1, 1000, n),
            CASE WHEN pg_temp.any(2, 200, n) = 0 THEN 'new' ELSE (ARRAY['review', 'in-progress',
                'completed', 'completed', 'rejected'])[1 + pg_temp.any(3, 5, n)] END,
            CASE WHEN pg_temp.any(4, 200, n) = 0 THEN 'documentacao' ELSE (ARRAY['coleta-dados',
                'banco-dados', 'analise-dados', 'gestao-riscos', 'dashboard'])[1 + pg_temp.any(5, 5, n)] END,
            CASE WHEN pg_temp.any(6, 200, n) = 0 THEN 'critical'
                ELSE (ARRAY['low', 'medium', 'high'])[1 + pg_temp.any(7, 3, n)] END,
            ARRAY['tag' || pg_temp.any(8, 500, n)], timestamptz '2025-01-01Z' + n * interval '1 minute',
            CASE WHEN pg_temp.any(9, 2, n) = 0 THEN timestamptz '2026-06-01Z' END
        FROM generate_series(1, $1::int) AS n""",
    "files": """
        INSERT INTO files (id, filename, original_name, mime_type, size_bytes, checksum, object_key,
            description, idea_id, system_id, uploaded_by, is_public, created_at)
        SELECT 'file-' || n, 'file-' || md5(n::text) || '.txt', 'Report ' || n || '.txt',
            CASE WHEN pg_temp.any(1, 500, n) = 0 THEN 'application/zip'
                ELSE (ARRAY['application/pdf', 'image/png', 'text/plain'])[1 + pg_temp.any(2, 3, n)] END,
            pg_temp.any(3, 50000000, n), md5(n::text) || md5(n::text), 'objects/' || n,
            'On word' || pg_temp.any(4, 1000, n),
            CASE WHEN pg_temp.any(5, 2, n) = 0 THEN 'idea-' || 1 + pg_temp.any(6, 5000, n) END,
            CASE WHEN pg_temp.any(7, 3, n) = 0 THEN 'system-' || 1 + pg_temp.any(8, $2::int, n) END,
            'person-' || pg_temp.any(9, 300, n), pg_temp.any(10, 10, n) = 0,
            timestamptz '2025-01-01Z' + n * interval '1 minute'
        FROM generate_series(1, $1::int) AS n""",
    "audit_entries": """
        INSERT INTO audit_entries (entity, entity_id, action, actor, request_id, client, changes, at)
        SELECT (ARRAY['idea', 'idea', 'idea', 'file', 'file', 'system', 'item'])[1 + pg_temp.any(1, 7, n)],
            'row-' || pg_temp.any(2, 200000, n),
            CASE WHEN pg_temp.any(3, 1000, n) = 0 THEN 'imported'
                ELSE (ARRAY['created', 'updated', 'updated', 'deleted'])[1 + pg_temp.any(4, 4, n)] END,
            'person-' || pg_temp.any(5, 1000, n), 'request-' || n / 2, '192.0.2.7',
            '{"status": {"before": "new", "after": "review"}}',
            timestamptz '2025-01-01Z' + n * interval '30 seconds'
        FROM generate_series(1, $1::int) AS n""",
}


@dataclass(frozen=True)
class Sizes:
    systems: int = 1_000
    ideas: int = 100_000
    items: int = 100_000
    files: int = 100_000
    audit_entries: int = 1_000_000


async def fill(url: str, sizes: Sizes) -> None:
    """Indexes are made after the rows, as a restore does. Statistics and visibility are then those of a
    database that has run for a while. Nothing of it need survive a crash.
    """
    connection: Connection = await asyncpg.connect(url)
    try:
        await connection.execute("SET synchronous_commit = off; SET maintenance_work_mem = '256MB'")
        await connection.execute("SET session_replication_role = replica")
        await connection.execute(CHANCE)
        for table in reversed(STATEMENTS):
            await connection.execute(f"ALTER TABLE {table} SET UNLOGGED")
        for table, statement in STATEMENTS.items():
            indexes = await connection.fetch(
                "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename = $1 "
                "AND indexname NOT IN (SELECT conname FROM pg_constraint WHERE conrelid = $1::regclass)",
                table,
            )
            for index in indexes:
                await connection.execute(f'DROP INDEX "{index["indexname"]}"')
            systems = [sizes.systems] if "$2" in statement else []
            await connection.execute(statement, getattr(sizes, table), *systems)
            for index in indexes:
                await connection.execute(index["indexdef"])
            await connection.execute(f"VACUUM (ANALYZE) {table}")
    finally:
        await connection.close()
