"""Queries of the import journal: runs, manifest chunks, and before images of overwritten rows."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import orjson

from core.database.client import Database
from features.imports.queries.reversal import Images
from features.imports.schemas import Entry

_BEGIN: Final = "INSERT INTO import_runs (job_id, kind) VALUES ($1::uuid, $2) ON CONFLICT DO NOTHING"
_FINISH: Final = "UPDATE import_runs SET finished_at = clock_timestamp() WHERE job_id = $1::uuid"
_RUNS: Final = """
SELECT job_id::text AS job_id, finished_at IS NOT NULL AS finished FROM import_runs
WHERE kind = ANY($1::text[]) ORDER BY created_at DESC
"""
_KEEP: Final = """
INSERT INTO import_pages (job_id, part, number, content, written)
VALUES ($1::uuid, $2, $3::int, $4, $5::json) ON CONFLICT (job_id, part, number) DO NOTHING
"""
# Pages can be megabytes each: they come one by one.
_NEXT: Final = """
SELECT number, content, written::text AS written FROM import_pages
WHERE job_id = $1::uuid AND part = $2 AND number > $3::int ORDER BY number LIMIT 1
"""
_AT: Final = """
SELECT number, content, written::text AS written FROM import_pages
WHERE job_id = $1::uuid AND part = $2 AND number <= $3::int ORDER BY number DESC LIMIT 1
"""
_REPLACE: Final = """
UPDATE import_pages SET content = $4 WHERE job_id = $1::uuid AND part = $2 AND number = $3::int
"""
_KEEP_IMAGES: Final = """
INSERT INTO import_before_images (job_id, entity, row_id, row)
SELECT $1::uuid, $2, image ->> 0, (image ->> 1)::json FROM json_array_elements($3::json) AS image
ON CONFLICT (job_id, entity, row_id) DO NOTHING
"""
_IMAGES: Final = """
SELECT row_id AS id, row::text AS row FROM {table}
WHERE job_id = $1::uuid AND entity = $2 AND row_id = ANY($3::text[])
"""
_OVERWRITTEN: Final = """
SELECT row_id FROM unnest($1::uuid[], $2::text[]) AS wanted(job_id, row_id)
JOIN import_before_images USING (job_id, row_id) WHERE entity = $3
"""
_REPLACED_OBJECTS: Final = """
SELECT row ->> 'object_key' AS object_key, row_id FROM import_before_images
WHERE entity = 'file' AND row ->> 'object_key' = ANY($1::text[])
"""


class Page(NamedTuple):
    """Chunk of a source's manifest. `written`: ids of rows that the import wrote; None: of all records."""

    number: int
    content: str
    written: list[str] | None

    @property
    def entries(self) -> list[Entry]:
        rows: list[list[str | None]] = orjson.loads(self.content)
        return [entry_of(row) for row in rows]

    @property
    def written_ids(self) -> list[str]:
        if self.written is not None:
            return self.written
        return [entry[0] for entry in self.entries if entry[0] is not None and entry[1] is not None]


class Run(NamedTuple):
    """Import that has not been taken back. `finished`: everything was loaded and verified."""

    job_id: str
    finished: bool


def entry_of(row: Sequence[str | None]) -> Entry:
    identifier, digest, text, lead = (*row, None, None)[:4]
    return identifier, digest, text, lead


async def begin_run(tx: Database, job_id: str, kind: str) -> None:
    await tx.execute_raw(_BEGIN, job_id, kind)


async def finish_run(tx: Database, job_id: str) -> None:
    await tx.execute_raw(_FINISH, job_id)


async def runs(db: Database, *kinds: str) -> list[Run]:
    """Imports of these kinds, newest first; only one runs at a time."""
    return [Run(**row) for row in await db.query_raw(_RUNS, list(kinds))]


async def finished_runs(db: Database, *kinds: str) -> list[str]:
    return [run.job_id for run in await runs(db, *kinds) if run.finished]


async def existing(db: Database, job_ids: Sequence[str]) -> frozenset[str]:
    """Ids among these of imports that wrote anything which has not been taken back."""
    rows = await db.importrun.find_many(where={"job_id": {"in": list(job_ids)}})
    return frozenset(row.job_id for row in rows)


async def keep_page(
    tx: Database, job_id: str, part: str, number: int, content: str, written: list[str] | None = None
) -> None:
    """Store a manifest chunk, in the transaction that writes its rows. One that is stored already stays."""
    ids = None if written is None else orjson.dumps(written).decode()
    await tx.execute_raw(_KEEP, job_id, part, number, content, ids)


async def pages(db: Database, job_id: str, part: str) -> AsyncIterator[Page]:
    """Manifest chunks of the part, in the order of the source."""
    number = -1
    while found := await db.query_raw(_NEXT, job_id, part, number):
        page = _page(found[0])
        number = page.number
        yield page


async def page_at(db: Database, job_id: str, part: str, position: int) -> Page:
    """Manifest chunk with the record at this position of the source, which must have been stored."""
    return _page((await db.query_raw(_AT, job_id, part, position))[0])


def _page(row: Mapping[str, Any]) -> Page:
    written = row["written"]
    return Page(row["number"], row["content"], None if written is None else orjson.loads(written))


async def replace_content(tx: Database, job_id: str, part: str, number: int, content: str) -> None:
    await tx.execute_raw(_REPLACE, job_id, part, number, content)


async def keep_images(tx: Database, job_id: str, entity: str, images: Images) -> None:
    """Store before images, in the transaction that overwrites the rows, before it does."""
    if images:
        await tx.execute_raw(_KEEP_IMAGES, job_id, entity, orjson.dumps([*images.items()]).decode())


async def images_of(
    db: Database, job_id: str, entity: str, ids: Sequence[str], *, after: bool = False
) -> Images:
    """Before images of those rows that the import overwrote; or images, as it left them, of those that
    somebody has changed `after` it.
    """
    statement = _IMAGES.format(table="import_after_images" if after else "import_before_images")
    return {row["id"]: row["row"] for row in await db.query_raw(statement, job_id, entity, list(ids))}


async def overwritten(db: Database, entity: str, rows: Sequence[tuple[str, str]]) -> frozenset[str]:
    """Ids of those rows (job, id) that the job overwrote."""
    jobs, ids = [job_id for job_id, _ in rows], [row_id for _, row_id in rows]
    return frozenset(row["row_id"] for row in await db.query_raw(_OVERWRITTEN, jobs, ids, entity))


async def replaced_objects(db: Database, keys: Sequence[str]) -> dict[str, str]:
    """File ids by object key, of those objects that a file had before it was overwritten."""
    rows = await db.query_raw(_REPLACED_OBJECTS, list(keys))
    return {row["object_key"]: row["row_id"] for row in rows}


async def forget_run(tx: Database, job_id: str) -> None:
    """Delete the run: the import has been taken back."""
    await tx.importrun.delete_many(where={"job_id": job_id})


async def forget_rows(tx: Database, job_id: str) -> None:
    """Delete manifest chunks and images of the import. Its rejects stay."""
    await tx.importpage.delete_many(where={"job_id": job_id})
    await tx.importbeforeimage.delete_many(where={"job_id": job_id})
    await tx.importafterimage.delete_many(where={"job_id": job_id})
