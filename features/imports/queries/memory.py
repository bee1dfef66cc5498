"""What imports remember of their sources: runs, pages, and rows before they were overwritten."""

from collections.abc import AsyncIterator, Sequence
from typing import Final, NamedTuple

import orjson

from core.database.client import Database
from core.database.reversal import BeforeImage
from features.imports.schemas import Entry

_BEGIN: Final = "INSERT INTO import_runs (job_id, kind) VALUES ($1::uuid, $2) ON CONFLICT DO NOTHING"
_FINISH: Final = "UPDATE import_runs SET finished_at = clock_timestamp() WHERE job_id = $1::uuid"
_NEWEST: Final = """
SELECT job_id::text AS job_id FROM import_runs WHERE kind = $1 AND finished_at IS NOT NULL
ORDER BY finished_at DESC, created_at DESC LIMIT 1
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
_PARTS: Final = "SELECT DISTINCT part FROM import_pages WHERE job_id = $1::uuid"
_KEEP_IMAGES: Final = """
INSERT INTO import_before_images (job_id, entity, row_id, row)
SELECT $1::uuid, $2, image ->> 0, (image ->> 1)::json FROM json_array_elements($3::json) AS image
ON CONFLICT (job_id, entity, row_id) DO NOTHING
"""
_IMAGES: Final = """
SELECT row_id AS id, row::text AS row FROM import_before_images
WHERE job_id = $1::uuid AND entity = $2 AND row_id = ANY($3::text[])
"""
_REPLACED_OBJECTS: Final = """
SELECT row ->> 'object_key' AS object_key, row_id FROM import_before_images
WHERE entity = 'file' AND row ->> 'object_key' = ANY($1::text[])
"""


class Page(NamedTuple):
    """`written` are the ids of rows that the import wrote; None: of all its records."""

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
        return [row[0] for row in orjson.loads(self.content) if row[0] is not None]


def entry_of(row: Sequence[str | None]) -> Entry:
    identifier, digest, text, lead = (*row, None, None)[:4]
    return identifier, digest, text, lead


async def begin_run(tx: Database, job_id: str, kind: str) -> None:
    await tx.execute_raw(_BEGIN, job_id, kind)


async def finish_run(tx: Database, job_id: str) -> None:
    await tx.execute_raw(_FINISH, job_id)


async def newest_run(db: Database, kind: str) -> str | None:
    """The job whose import of the kind was finished last and has not been taken back."""
    found = await db.query_raw(_NEWEST, kind)
    return found[0]["job_id"] if found else None


async def exists(db: Database, job_id: str) -> bool:
    """Whether the import wrote anything that has not been taken back."""
    return await db.importrun.count(where={"job_id": job_id}) > 0


async def keep_page(
    tx: Database, job_id: str, part: str, number: int, content: str, written: list[str] | None = None
) -> None:
    """In the transaction that writes its rows; a page that is stored already stays as it is."""
    ids = None if written is None else orjson.dumps(written).decode()
    await tx.execute_raw(_KEEP, job_id, part, number, content, ids)


async def pages(db: Database, job_id: str, part: str) -> AsyncIterator[Page]:
    """In the order of the source."""
    number = -1
    while found := await db.query_raw(_NEXT, job_id, part, number):
        row, number = found[0], found[0]["number"]
        yield Page(number, row["content"], None if row["written"] is None else orjson.loads(row["written"]))


async def parts(db: Database, job_id: str) -> frozenset[str]:
    return frozenset(row["part"] for row in await db.query_raw(_PARTS, job_id))


async def keep_images(tx: Database, job_id: str, entity: str, images: Sequence[BeforeImage]) -> None:
    """In the transaction that overwrites the rows, before it does."""
    if images:
        rows = orjson.dumps([[image.id, image.row] for image in images]).decode()
        await tx.execute_raw(_KEEP_IMAGES, job_id, entity, rows)


async def images_of(db: Database, job_id: str, entity: str, ids: Sequence[str]) -> list[BeforeImage]:
    """Those of the rows that the import overwrote, as they were before."""
    return [BeforeImage(**row) for row in await db.query_raw(_IMAGES, job_id, entity, list(ids))]


async def replaced_objects(db: Database, keys: Sequence[str]) -> dict[str, str]:
    """Those of the objects that a file had before it was overwritten: with the file's id."""
    rows = await db.query_raw(_REPLACED_OBJECTS, list(keys))
    return {row["object_key"]: row["row_id"] for row in rows}


async def forget_run(tx: Database, job_id: str) -> None:
    """It has been taken back."""
    await tx.importrun.delete_many(where={"job_id": job_id})


async def forget_rows(tx: Database, job_id: str) -> None:
    """As if the import had not been. What it could not take over stays known."""
    await tx.importpage.delete_many(where={"job_id": job_id})
    await tx.importbeforeimage.delete_many(where={"job_id": job_id})
