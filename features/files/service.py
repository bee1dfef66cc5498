"""Service of files: visibility, pages, and deletion of rows before their objects."""

from collections.abc import AsyncIterator, Callable, Collection
from typing import Any, Final

import structlog

from core.database.client import Database
from core.database.transaction import unit_of_work
from core.deps import ActorName
from core.errors import Unavailable
from core.http.answers.conditional import Precondition
from core.http.answers.envelope import ListEnvelope, Row, listed
from core.http.answers.pagination import (
    Key,
    Scope,
    check_start,
    decode_place,
    encode_place,
    moment_of,
    number_of,
)
from core.http.request.access import Principal
from core.settings import Settings
from features.files.changes.listeners import WriteContext, check_links, tell
from features.files.errors import ContentMissing, FileNotFound
from features.files.queries import lists, rows
from features.files.schemas import Audience, FileMetadata, FileQuery, StoredFile, UpdateFile
from features.files.sql import match
from features.files.storage.objects import Objects

_READERS: Final[dict[str, Callable[[str], Key]]] = {"size_bytes": number_of, "created_at": moment_of}

log = structlog.get_logger(__name__)


def audience_of(holder: Principal | None) -> Audience:
    """Audience of this caller. The one place that decides it: every read and every change asks here.

    A file that is not public is for the holder of the key that uploaded it, and for administrators. With
    AUTH=off an actor is a label that anybody can choose, and hiding files behind it would protect nothing, so
    everybody sees everything.
    """
    if holder is None or holder.may("admin"):
        return Audience()
    return Audience(holder.name)


async def visible(db: Database, ids: Collection[str], holder: Principal | None) -> Collection[str]:
    """Ids of files that the caller may see; who may see all sees deleted ones too, without a query."""
    audience = audience_of(holder)
    return ids if audience.name is None or not ids else await lists.visible(db, ids, audience)


async def list_files(db: Database, actor: ActorName, query: FileQuery) -> ListEnvelope[FileMetadata]:
    """Page of files."""
    audience = audience_of(actor.principal)
    where, place = lists.where_of(query, audience), _place(query)
    files: list[FileMetadata] = []
    found = 0
    for each in [where] if place is None else lists.after(where, query.order, place):
        # One more than asked for tells whether there is a next page.
        missing = query.limit + 1 - found
        if missing and query.search:
            ids = await match.find_matching(
                db, query.search, each, query.order, offset=query.offset, take=missing
            )
            files += await lists.files_by_id(db, ids, where)
            found += len(ids)
        elif missing:
            files += await lists.find_files(db, each, query.order, offset=query.offset, take=missing)
            found = len(files)
    complete = found <= query.limit
    if not files and not complete:
        # All found files were deleted before they were read: find the ones after them.
        return await list_files(db, actor, query)
    files = files[: query.limit]
    everything = complete and place is None and not query.offset
    total = len(files) if everything else await _count(db, query, audience)
    return listed(files, total=total, next_cursor=None if complete else _cursor(query, files[-1]))


async def search_files(db: Database, text: str, audience: Audience, limit: int) -> list[FileMetadata]:
    """Matching files, the best match first."""
    where = rows.seen_by(audience)
    return await lists.files_by_id(db, await match.search_files(db, text, where, limit), where)


async def get_file(db: Database, actor: ActorName, file_id: str) -> StoredFile:
    """File by id. Raises FileNotFound, also if the caller may not see it."""
    stored = await rows.find_file(db, file_id)
    if stored is None or not audience_of(actor.principal).may_see(stored.file):
        raise FileNotFound(file_id)
    return stored


def row_of(stored: StoredFile) -> Row:
    return Row(stored.version, stored.file.model_dump_json(by_alias=True).encode(), rows.etag_of(stored))


async def read_content(
    db: Database, settings: Settings, stored: StoredFile, start: int, end: int
) -> AsyncIterator[bytes]:
    """Bytes from `start` up to, not including, `end`. A read from the first byte counts as a download; a part
    that continues one does not.
    """
    file = stored.file
    content = await Objects(settings).read(stored.object_key, file.size, start, end)
    if content is None:
        # A delete that came in between takes the row first.
        if await rows.find_file(db, file.id) is None:
            raise FileNotFound(file.id)
        log.error("files.content_missing", file_id=file.id, object_key=stored.object_key)
        raise ContentMissing(file.id)
    if start == 0:
        await rows.count_download(db, file.id)
    return content


async def update_file(
    context: WriteContext, file_id: str, values: UpdateFile, precondition: Precondition
) -> tuple[StoredFile, list[str]]:
    """Update the given fields and set `updatedAt`; also returns the jobs to run. Raises PreconditionFailed
    when the client has seen an older version.
    """

    if values.held_back:
        stored = await get_file(context.db, context.actor, file_id)
        values.settle(stored.file.model_dump(mode="json", by_alias=True))

    async def update(tx: Database) -> tuple[StoredFile, list[str]]:
        await check_links(tx, idea_id=values.idea_id, system_id=values.system_id)
        audience = audience_of(context.actor.principal)
        updated = await rows.update_file(tx, file_id, values, audience, precondition)
        return updated, await tell(tx, context, "updated", updated)

    return await unit_of_work(context.db, update)


async def delete_file(
    context: WriteContext, file_id: str, precondition: Precondition
) -> tuple[StoredFile, list[str]]:
    """Delete the row, then its object: an object without a row is found and removed by `files.reconcile`, a
    row without an object would be a promise that cannot be kept. Raises PreconditionFailed as an update does.
    """

    async def delete(tx: Database) -> tuple[StoredFile, list[str]]:
        deleted = await rows.delete_file(tx, file_id, audience_of(context.actor.principal), precondition)
        return deleted, await tell(tx, context, "deleted", deleted)

    deleted, job_ids = await unit_of_work(context.db, delete)
    try:
        await Objects(context.settings).remove(deleted.object_key)
    except Unavailable:
        log.warning("files.object_left", object_key=deleted.object_key)
    return deleted, job_ids


async def _count(db: Database, query: FileQuery, audience: Audience) -> int:
    where = lists.where_of(query, audience)
    if query.search:
        return await match.count_matching(db, query.search, where)
    return await lists.count_files(db, where)


def _scope(query: FileQuery) -> Scope:
    return (query.order_by, query.order_direction)


def _cursor(query: FileQuery, last: FileMetadata) -> str:
    return encode_place(_scope(query), *lists.place_of(last, query.order))


def _place(query: FileQuery) -> list[Any] | None:
    """Place of the cursor, checked part by part, or None."""
    check_start(query.cursor, query.offset)
    if query.cursor is None:
        return None
    readers = (_READERS.get(column, str) for column, _ in query.order)
    return decode_place(_scope(query), query.cursor, *readers)
