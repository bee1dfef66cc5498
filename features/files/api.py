"""Files for other slices: statistics, search, upload, and reading of texts to be indexed.

Whoever shows or counts files carries `FILE_TAGS` in its cache policy. Of each file that is made, changed or
deleted a manifest's `on_change` is told by a `FileChange`. `TAKEOVER` is the table as imports know it: they
store the bytes before, with `store`, an overwritten row keeps its object when the checksum is the same, and
its count of downloads never falls. `on_change` is not told of imports.
"""

import codecs
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Final

from core.database import statements
from core.database.client import Database
from core.database.statements import hold_rows
from core.settings import Settings
from features.files import service
from features.files.cache import FILE_TAGS
from features.files.changes.listeners import ENTITY, WriteContext
from features.files.changes.takeover import LARGEST_FILE, content_of, discard, holds, identify, key_for, store
from features.files.changes.upload import upload
from features.files.errors import ContentMissing
from features.files.queries import lists, rows
from features.files.schemas import (
    ID_LENGTH,
    Audience,
    FileChange,
    FileMetadata,
    FilesStats,
    IndexedFile,
    StoredContent,
)
from features.files.service import audience_of
from features.files.sql.bulk import TAKEOVER
from features.files.storage.formats import TEXT_TYPES
from features.files.storage.names import ORIGINAL_LENGTH, safe_name, shown_name
from features.files.storage.objects import Objects

_BATCH: Final = 500


async def contents_of(db: Database, ids: Sequence[str]) -> dict[str, StoredContent]:
    """Contents, by id, of those files that are stored."""
    return await lists.contents_of(db, ids) if ids else {}


async def statistics(db: Database, audience: Audience) -> FilesStats:
    """Statistics of the files that the audience may see, by one grouped query."""
    return await lists.statistics(db, audience)


async def search(db: Database, text: str, audience: Audience, *, limit: int) -> list[FileMetadata]:
    """Files that match and that the audience may see, the best match first."""
    return await service.search_files(db, text, audience, limit)


async def every_file(db: Database) -> AsyncIterator[list[FileMetadata]]:
    """Batches of all files, whoever may see them, in the order of their ids."""
    last: str | None = None
    while found := await lists.files_after(db, last, _BATCH):
        last = found[-1].file.id
        yield [stored.file for stored in found]


async def created_by_day(db: Database, since: datetime, audience: Audience) -> dict[str, int]:
    """Number of uploads on each day (UTC, `2025-10-23`) from `since` on, of files that the audience may see;
    days without any are left out.
    """
    return await statements.created_by_day(db, "files", since, rows.seen_by(audience))


async def texts_after(db: Database, file_id: str | None = None, *, limit: int = 100) -> list[IndexedFile]:
    """Next text files in the order of their ids; ask again with the last id until none come."""
    found = await lists.files_after(db, file_id, limit, sorted(TEXT_TYPES))
    return [IndexedFile.of(stored) for stored in found]


async def find_text(db: Database, file_id: str) -> IndexedFile | None:
    """Text file by id; None also for a file that is no text."""
    stored = await rows.find_file(db, file_id)
    return IndexedFile.of(stored) if stored is not None and stored.file.mimetype in TEXT_TYPES else None


async def lock_text(tx: Database, file_id: str) -> IndexedFile | None:
    """Text file by id, locked until the transaction ends. Raises LockTimeout."""
    await hold_rows(tx, "files", [file_id])
    return await find_text(tx, file_id)


async def open_text(settings: Settings, file: IndexedFile, *, limit: int | None = None) -> AsyncIterator[str]:
    """Text of the file in pieces, from at most the first `limit` bytes; does not count as a download.

    UTF-16 by its mark, else UTF-8, with replacement characters for what is neither. Raises ContentMissing
    when the object is not there any more, StorageUnavailable when the store fails.
    """
    end = file.size if limit is None else min(limit, file.size)
    content = await Objects(settings).read(file.object_key, file.size, 0, end)
    if content is None:
        raise ContentMissing(file.id)
    decoder: codecs.IncrementalDecoder | None = None
    async for block in content:
        if decoder is None:
            wide = block.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
            decoder = codecs.getincrementaldecoder("utf-16" if wide else "utf-8-sig")("replace")
        yield decoder.decode(block).replace("\0", "\ufffd")
    if decoder is not None:
        yield decoder.decode(b"", True)
