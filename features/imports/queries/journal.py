"""Queries of the import journal: runs, manifest chunks, and before images of overwritten rows."""

from collections.abc import AsyncIterator, Sequence
from typing import Final, NamedTuple, cast

import orjson
from prisma.models import ImportRun
from prisma.types import ImportChunkWhereInput

from core.database.client import Database
from core.http.request.fields import now
from features.imports.queries.reversal import Images
from features.imports.schemas import Entry

_ADD_CHUNK: Final = """
INSERT INTO import_pages (job_id, part, number, content, written)
VALUES ($1::uuid, $2, $3::int, $4, $5::json) ON CONFLICT (job_id, part, number) DO NOTHING
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


UNKNOWN: Final = ""
"""Digest of a record that was taken back, or a conflict from the start: the next import finds it new."""


class Chunk(NamedTuple):
    """Chunk of a source's manifest. `written`: ids of rows that the import wrote; None: of all records."""

    number: int
    content: str
    written: list[str] | None

    @property
    def entries(self) -> list[Entry]:
        return [cast(Entry, (*row, None, None)[:4]) for row in orjson.loads(self.content)]

    @property
    def written_ids(self) -> list[str]:
        if self.written is not None:
            return self.written
        return [entry[0] for entry in self.entries if entry[0] is not None and entry[1] is not None]


async def begin_run(tx: Database, job_id: str, kind: str) -> None:
    await tx.importrun.create_many(data=[{"job_id": job_id, "kind": kind}], skip_duplicates=True)


async def finish_run(tx: Database, job_id: str) -> None:
    await tx.importrun.update_many(where={"job_id": job_id}, data={"finished_at": now()})


async def runs(db: Database, *kinds: str) -> list[ImportRun]:
    """Imports of these kinds that have not been taken back, newest first; only one runs at a time."""
    return await db.importrun.find_many(where={"kind": {"in": [*kinds]}}, order={"created_at": "desc"})


async def finished_runs(db: Database, *kinds: str) -> list[str]:
    """Ids of the imports of which everything was loaded and verified."""
    return [run.job_id for run in await runs(db, *kinds) if run.finished_at]


async def existing(db: Database, job_ids: Sequence[str]) -> frozenset[str]:
    """Ids among these of imports that wrote anything which has not been taken back."""
    rows = await db.importrun.find_many(where={"job_id": {"in": list(job_ids)}})
    return frozenset(row.job_id for row in rows)


async def add_chunk(
    tx: Database, job_id: str, part: str, number: int, content: str, written: list[str] | None = None
) -> None:
    """Store a manifest chunk, in the transaction that writes its rows. One that is stored already stays."""
    ids = None if written is None else orjson.dumps(written).decode()
    await tx.execute_raw(_ADD_CHUNK, job_id, part, number, content, ids)


async def chunks(db: Database, job_id: str, part: str) -> AsyncIterator[Chunk]:
    """Manifest chunks of the part, in the order of the source, one by one: each can have megabytes."""
    number = -1
    while found := await db.importchunk.find_first(
        where={"job_id": job_id, "part": part, "number": {"gt": number}}, order={"number": "asc"}
    ):
        number = found.number
        yield Chunk(number, found.content, cast(list[str] | None, found.written))


async def chunk_at(db: Database, job_id: str, part: str, position: int) -> Chunk:
    """Manifest chunk with the record at this position of the source, which must have been stored."""
    found = await db.importchunk.find_first_or_raise(
        where={"job_id": job_id, "part": part, "number": {"lte": position}}, order={"number": "desc"}
    )
    return Chunk(found.number, found.content, cast(list[str] | None, found.written))


async def replace_content(tx: Database, job_id: str, part: str, number: int, content: str) -> None:
    where: ImportChunkWhereInput = {"job_id": job_id, "part": part, "number": number}
    await tx.importchunk.update_many(where=where, data={"content": content})


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
    await tx.importchunk.delete_many(where={"job_id": job_id})
    await tx.importbeforeimage.delete_many(where={"job_id": job_id})
    await tx.importafterimage.delete_many(where={"job_id": job_id})
