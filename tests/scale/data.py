"""A registry of any size, written by the database itself. Values are skewed as real ones are: few kinds are
common, most are rare.
"""

from dataclasses import dataclass
from typing import Final

import asyncpg

from tests.fixtures.database import Connection

STATEMENTS: Final = {
    "systems": """
        INSERT INTO systems (id, name, description, status, type, category, owner, tags, last_checked, created_at)
        SELECT 'system-' || n, 'System ' || n, 'Serves area ' || n % 100,
            (ARRAY['online', 'online', 'online', 'degraded', 'offline', 'planned'])[1 + n % 6],
            (ARRAY['api', 'webapp', 'docs', 'tool'])[1 + n % 4], 'category ' || n % 20, 'owner-' || n % 50,
            ARRAY['tag' || n % 100], CASE WHEN n % 10 > 0 THEN now() END,
            timestamptz '2024-01-01Z' + n * interval '1 hour'
        FROM generate_series(1, $1::int) AS n""",
    "ideas": """
        INSERT INTO ideas (id, title, description, status, category, priority, tags, system_id, assigned_to,
            due_date, completed_at, created_at, updated_at)
        SELECT 'idea-' || n, 'Idea ' || md5(n::text), 'About word' || n % 1000, status,
            CASE WHEN n % 200 = 7 THEN 'infrastructure'
                ELSE (ARRAY['api', 'docs', 'dashboard', 'automation'])[1 + n % 4] END,
            CASE WHEN n % 200 = 11 THEN 'critical' ELSE (ARRAY['low', 'medium', 'high'])[1 + n % 3] END,
            ARRAY['tag' || n % 100], CASE WHEN n % 5 > 0 THEN 'system-' || 1 + n % $2::int END,
            CASE WHEN n % 3 > 0 THEN 'person-' || n % 500 END,
            CASE WHEN n % 4 = 0 THEN timestamptz '2026-01-01Z' + n * interval '1 minute' END,
            CASE WHEN status = 'completed' THEN now() END, timestamptz '2025-01-01Z' + n * interval '1 minute',
            CASE WHEN n % 2 = 0 THEN timestamptz '2025-06-01Z' + n * interval '1 minute' END
        FROM (SELECT n, CASE WHEN n % 200 = 3 THEN 'triage' ELSE (ARRAY['new', 'in_progress', 'review',
            'completed', 'completed', 'completed', 'rejected'])[1 + n % 7] END AS status
            FROM generate_series(1, $1::int) AS n) AS made""",
    "files": """
        INSERT INTO files (id, filename, original_name, mime_type, size_bytes, checksum, object_key, description,
            idea_id, system_id, uploaded_by, is_public, created_at)
        SELECT 'file-' || n, 'file-' || md5(n::text) || '.txt', 'Report ' || n || '.txt',
            CASE WHEN n % 500 = 9 THEN 'application/zip'
                ELSE (ARRAY['application/pdf', 'image/png', 'text/plain'])[1 + n % 3] END,
            (n::bigint * n % 50000000)::int, md5(n::text) || md5(n::text), 'objects/' || n, 'On word' || n % 1000,
            CASE WHEN n % 2 = 0 THEN 'idea-' || 1 + n % 5000 END,
            CASE WHEN n % 3 = 0 THEN 'system-' || 1 + n % $2::int END,
            'person-' || n % 300, n % 10 = 0, timestamptz '2025-01-01Z' + n * interval '1 minute'
        FROM generate_series(1, $1::int) AS n""",
    "audit_entries": """
        INSERT INTO audit_entries (entity, entity_id, action, actor, request_id, client, changes, at)
        SELECT (ARRAY['idea', 'idea', 'idea', 'file', 'file', 'system', 'item'])[1 + n % 7], 'row-' || n % 200000,
            CASE WHEN n % 1000 = 5 THEN 'imported' WHEN n % 20 = 3 THEN 'deleted'
                ELSE (ARRAY['created', 'updated', 'updated', 'updated'])[1 + n % 4] END,
            'person-' || n % 1000, 'request-' || n / 2, '192.0.2.7',
            '{"status": {"before": "new", "after": "review"}}', timestamptz '2025-01-01Z' + n * interval '30 seconds'
        FROM generate_series(1, $1::int) AS n""",
}


@dataclass(frozen=True)
class Sizes:
    systems: int = 1_000
    ideas: int = 100_000
    files: int = 100_000
    audit_entries: int = 1_000_000


async def fill(url: str, sizes: Sizes) -> None:
    """Indexes are made after the rows, as a restore does; statistics and visibility are what a running
    database has.
    """
    connection: Connection = await asyncpg.connect(url)
    try:
        await connection.execute("SET synchronous_commit = off; SET maintenance_work_mem = '256MB'")
        await connection.execute("SET session_replication_role = replica")
        for table in reversed(STATEMENTS):
            await connection.execute(f"ALTER TABLE {table} SET UNLOGGED")
        for table, statement in STATEMENTS.items():
            indexes = await connection.fetch(
                "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = $1 AND schemaname = 'public' "
                "AND indexname NOT IN (SELECT conname FROM pg_constraint WHERE conrelid = $1::regclass)",
                table,
            )
            for index in indexes:
                await connection.execute(f'DROP INDEX "{index["indexname"]}"')
            arguments = [getattr(sizes, table)]
            await connection.execute(statement, *arguments, *([sizes.systems] if "$2" in statement else []))
            for index in indexes:
                await connection.execute(index["indexdef"])
            await connection.execute(f"VACUUM (ANALYZE) {table}")
    finally:
        await connection.close()
