"""Single files. In SQL only what the typed client cannot say: a lock."""

from collections.abc import Collection
from datetime import datetime
from typing import Final, cast

from prisma.errors import ForeignKeyViolationError
from prisma.models import File as FileRow
from prisma.types import FileUpdateInput, FileWhereInput

from core.database.client import Database
from features.files.errors import IdeaUnknown
from features.files.schemas import FileMetadata, Received, StoredFile, UpdateFile, UploadFields

_LOCK: Final = "SELECT * FROM files WHERE id = $1 FOR UPDATE"


async def find_file(db: Database, file_id: str) -> StoredFile | None:
    row = await db.file.find_unique(where={"id": file_id})
    return None if row is None else stored(row)


async def create_file(
    tx: Database, file_id: str, received: Received, fields: UploadFields, actor: str, created_at: datetime
) -> StoredFile:
    """Raises IdeaUnknown when the idea is deleted at this moment; the system is held by then."""
    try:
        row = await tx.file.create(
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
                "uploaded_by": actor,
                "is_public": fields.is_public,
                "created_at": created_at,
            }
        )
    except ForeignKeyViolationError:
        raise IdeaUnknown from None
    return stored(row)


async def lock_file(tx: Database, file_id: str) -> StoredFile | None:
    """The row, held until the transaction ends. Raises LockTimeout after DB_LOCK_TIMEOUT_S."""
    rows = await tx.query_raw(_LOCK, file_id, model=FileRow)
    return stored(rows[0]) if rows else None


async def update_file(
    tx: Database, file_id: str, values: UpdateFile, updated_at: datetime
) -> StoredFile | None:
    """Changes the fields that `values` was given, and counts the version up."""
    changes = {**values.model_dump(exclude_unset=True), "updated_at": updated_at}
    if "description" in changes:
        changes["description"] = changes["description"] or None
    try:
        row = await tx.file.update(
            where={"id": file_id},
            data=cast(FileUpdateInput, {**changes, "row_version": {"increment": 1}}),
        )
    except ForeignKeyViolationError:
        raise IdeaUnknown from None
    return None if row is None else stored(row)


async def delete_file(tx: Database, file_id: str) -> None:
    await tx.file.delete(where={"id": file_id})


async def visible(db: Database, ids: Collection[str], name: str) -> frozenset[str]:
    """Those that are public, or that this holder has uploaded."""
    seen: FileWhereInput = {"OR": [{"is_public": True}, {"uploaded_by": name}]}
    rows = await db.file.find_many(where={"AND": [{"id": {"in": list(ids)}}, seen]})
    return frozenset(row.id for row in rows)


async def count_download(db: Database, file_id: str) -> bool:
    """One more, whoever else counts at the same time. False when the file is gone."""
    return bool(await db.file.update_many(where={"id": file_id}, data={"download_count": {"increment": 1}}))


def stored(row: FileRow) -> StoredFile:
    """Not validated again: the database's own constraints hold for what it returns."""
    file = FileMetadata.model_construct(
        id=row.id,
        filename=row.filename,
        mimetype=row.mime_type,
        size=row.size_bytes,
        idea_id=row.idea_id,
        system_id=row.system_id,
        uploaded_by=row.uploaded_by,
        created_at=row.created_at,
        updated_at=row.updated_at,
        original_name=row.original_name,
        description=row.description,
        is_public=row.is_public,
        download_count=row.download_count,
        checksum=row.checksum,
    )
    return StoredFile(file, row.object_key, row.row_version)
