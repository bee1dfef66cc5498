"""Queries of rejects: records that could not be taken over."""

from typing import Final

from core.database.client import Database
from features.imports.schemas import Reject

_PAGE_ROWS: Final = 500
_PAGE_CHARACTERS: Final = 4 << 20

_INSERT: Final = """
INSERT INTO import_rejects (job_id, position, path, reason, errors, record)
SELECT $2::uuid, position, path, reason, errors, record
FROM jsonb_to_recordset($1::jsonb) AS source(position int, path text, reason text, errors jsonb, record text)
ON CONFLICT (job_id, position) DO NOTHING
"""

# Records can be megabytes each: a page ends after 500 rows or 4 MiB, and has at least one row.
_PAGE: Final = """
SELECT position, path, reason, errors, record FROM (
    SELECT *, sum(length(record)) OVER (ORDER BY position) - length(record) AS before FROM (
        SELECT * FROM import_rejects
        WHERE job_id = $1::uuid AND position > $2::int AND ($5::boolean OR errors <> '[]')
        ORDER BY position LIMIT $3::int
    ) AS next_rows
) AS measured
WHERE before < $4::int ORDER BY position
"""


# Records can be megabytes each: they are compared by their hashes.
_OF_EARLIER: Final = """
WITH found AS (
    SELECT job_id, position, created_at, sha256(convert_to(record, 'UTF8')) AS digest
    FROM import_rejects JOIN import_runs USING (job_id) WHERE kind = $1 AND finished_at IS NOT NULL),
earlier AS (
    SELECT *, rank() OVER (PARTITION BY digest ORDER BY created_at DESC) AS age FROM found
    WHERE digest NOT IN (SELECT digest FROM found WHERE job_id = $2::uuid))
SELECT job_id::text AS job_id, position FROM earlier WHERE age = 1 ORDER BY created_at DESC, position
"""


async def insert_rejects(tx: Database, job_id: str, rows_json: str) -> int:
    """Insert a JSON array of `Reject`s; those that are stored already stay as they are."""
    return await tx.execute_raw(_INSERT, rows_json, job_id)


async def rejects_after(
    db: Database, job_id: str, position: int, *, superseded: bool = False
) -> list[Reject]:
    """Next rejects of a job in the order of the source, with the superseded versions among them if wanted;
    none when `position` is the last one's.
    """
    rows = await db.query_raw(_PAGE, job_id, position, _PAGE_ROWS, _PAGE_CHARACTERS, superseded)
    return [Reject.model_validate(row) for row in rows]


async def rejects_of_earlier(db: Database, kind: str, job_id: str) -> list[tuple[str, int]]:
    """(job, position) of the rejects of other finished imports of the kind that this one did not have; of
    equal records the newest.
    """
    return [(row["job_id"], row["position"]) for row in await db.query_raw(_OF_EARLIER, kind, job_id)]
