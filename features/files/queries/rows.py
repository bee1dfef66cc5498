"""Queries of single files. Functions take `db` first and open no transaction."""

import re
from typing import Final, cast

from prisma.errors import ForeignKeyViolationError
from prisma.models import File as FileRow
from prisma.types import FileUpdateInput, FileWhereInput

from core.database.client import Database
from core.http.answers.conditional import Precondition, RowState, WriteRow, conditional_write
from core.http.answers.envelope import row_etag
from core.http.request.fields import now
from features.files.errors import FileChanged, FileNotFound, IdeaUnknown
from features.files.schemas import Audience, FileMetadata, Received, StoredFile, UpdateFile, UploadFields

_COUNT: Final = re.compile(r'\.[0-9]+"$')
COLUMNS: Final = {"mimetype": "mime_type", "size": "size_bytes"}
"""Columns of the fields that have another name."""


def seen_by(audience: Audience) -> FileWhereInput:
    """Condition for the files that the audience may see."""
    return {} if audience.name is None else {"OR": [{"is_public": True}, {"uploaded_by": audience.name}]}


async def find_file(db: Database, file_id: str) -> StoredFile | None:
    row = await db.file.find_unique(where={"id": file_id})
    return None if row is None else stored(row)


async def create_file(
    db: Database, file_id: str, received: Received, fields: UploadFields, owner: str
) -> StoredFile:
    """Insert a file. Raises IdeaUnknown if the idea is deleted at this moment; the system is locked."""
    try:
        row = await db.file.create(
            data={
                "id": file_id,
                "filename": received.filename,
                "original_name": received.original_name,
                "mime_type": received.mime_type,
                "size_bytes": received.size,
                "checksum": received.checksum,
                "object_key": received.object_key,
                "description": fields.description or None,
                "idea_id": fields.idea_id,
                "system_id": fields.system_id,
                "uploaded_by": owner,
                "is_public": fields.is_public,
                "created_at": now(),
            }
        )
    except ForeignKeyViolationError:
        raise IdeaUnknown(fields.idea_id) from None
    return stored(row)


async def update_file(
    db: Database, file_id: str, values: UpdateFile, audience: Audience, seen: Precondition
) -> StoredFile:
    """Update the fields that `values` was given. Raises FileNotFound, also for a file that the audience may
    not see; FileChanged unless it is as the precondition says; IdeaUnknown.
    """
    changes = {**values.model_dump(exclude_unset=True), "updated_at": now()}
    if "description" in changes:
        changes["description"] = changes["description"] or None
    try:
        row = await _change(
            db,
            file_id,
            audience,
            seen,
            lambda where: db.file.update(where=where, data=cast(FileUpdateInput, changes)),
        )
    except ForeignKeyViolationError:
        raise IdeaUnknown(values.idea_id) from None
    return stored(row)


async def delete_file(db: Database, file_id: str, audience: Audience, seen: Precondition) -> StoredFile:
    """Delete a file and return it. Raises as `update_file` does."""
    return stored(await _change(db, file_id, audience, seen, lambda where: db.file.delete(where=where)))


async def _change(
    db: Database, file_id: str, audience: Audience, seen: Precondition, write: WriteRow[FileRow]
) -> FileRow:
    visible = seen_by(audience)

    async def find() -> RowState | None:
        row = await db.file.find_first(where={"id": file_id, **visible})
        if row is None:
            return None
        etag = _without_count(etag_of(stored(row)))
        return RowState(etag, {"row_version": row.row_version, "import_job_id": row.import_job_id})

    seen = Precondition(*(each and tuple(map(_without_count, each)) for each in (seen.tags, seen.others)))
    return await conditional_write(
        seen, file_id, find, lambda where: write({**where, **visible}), FileNotFound, FileChanged
    )


def etag_of(file: StoredFile) -> str:
    """ETag by version, digest and count of downloads. The count is no change of the file, so it stands apart:
    `If-Match` on a change compares what comes before it.
    """
    shown = file.file.model_dump_json(by_alias=True, exclude={"download_count"}).encode()
    return f'{row_etag(file.version, shown)[:-1]}.{file.file.download_count}"'


def _without_count(etag: str) -> str:
    return _COUNT.sub('"', etag)


async def count_download(db: Database, file_id: str) -> None:
    """Increment the count of downloads, atomically. It is no change of the file: its version stays."""
    await db.file.update_many(where={"id": file_id}, data={"download_count": {"increment": 1}})


def stored(row: FileRow) -> StoredFile:
    """File of a row, not validated again: the database's constraints hold for what it returns."""
    values = {name: getattr(row, COLUMNS.get(name, name)) for name in FileMetadata.model_fields}
    return StoredFile(FileMetadata.model_construct(**values), row.object_key, row.row_version)
