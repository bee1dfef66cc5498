"""The rules of files: who may see what, what a page holds, and that rows go before their objects."""

from collections.abc import AsyncIterator

import structlog

from core.cache import Cache
from core.database.client import Database
from core.database.transaction import unit_of_work
from core.deps import ActorName
from core.errors import FieldError, Invalid, Unavailable
from core.http.access import Principal
from core.http.conditional import Precondition
from core.http.envelope import ListEnvelope, listed
from core.http.pagination import decode_cursor, encode_cursor
from core.http.timestamps import from_iso, now, to_iso
from core.settings import Settings
from features.files import queries
from features.files.cache import FILE_TAGS
from features.files.changes.record import Work, check_links, invalidating, record
from features.files.errors import ContentMissing, FileNotFound
from features.files.schemas import Audience, FileMetadata, FileQuery, StoredFile, UpdateFile
from features.files.storage.objects import Objects

log = structlog.get_logger(__name__)


def audience_of(holder: Principal | None) -> Audience:
    """Whose files this caller may see. The one place that decides it: every read and every change asks here.

    A file that is not public is for the holder of the key that uploaded it, and for administrators. With
    AUTH=off an actor is a label that anybody can choose, and hiding files behind it would protect nothing, so
    everybody sees everything.
    """
    if holder is None or holder.may("admin"):
        return Audience()
    return Audience(holder.name)


async def list_files(db: Database, actor: ActorName, query: FileQuery) -> ListEnvelope[FileMetadata]:
    """One page with at most two queries."""
    after = _after(query)
    audience = audience_of(actor.principal)
    # One more than asked for tells whether there is a next page.
    files = await queries.find_files(
        db,
        query,
        audience,
        query.order_by,
        query.order_direction,
        after=after,
        offset=query.offset,
        take=query.limit + 1,
    )
    complete = len(files) <= query.limit
    files = files[: query.limit]
    everything = complete and after is None and not query.offset
    total = len(files) if everything else await queries.count_files(db, query, audience)
    cursor = None
    if not complete:
        place = queries.sort_key(files[-1], query.order_by)
        cursor = encode_cursor(query.order_by, query.order_direction, *place)
    return listed(files, total=total, next_cursor=cursor)


async def get_file(db: Database, actor: ActorName, file_id: str) -> StoredFile:
    """A file that the caller may not see is as good as not there."""
    stored = await queries.find_file(db, file_id)
    if stored is None or not audience_of(actor.principal).may_see(stored.file):
        raise FileNotFound(file_id)
    return stored


async def read_content(
    db: Database, cache: Cache, settings: Settings, stored: StoredFile, start: int, end: int
) -> AsyncIterator[bytes]:
    """The bytes from `start` up to, not including, `end`.

    What begins at the beginning counts as a download; a part that goes on with one does not count again.
    """
    file = stored.file
    content = await Objects(settings).read(stored.object_key, file.size, start, end)
    if content is None:
        # A delete that came in between takes the row first.
        if await queries.find_file(db, file.id) is None:
            raise FileNotFound(file.id)
        log.error("files.content_missing", file_id=file.id, object_key=stored.object_key)
        raise ContentMissing(file.id)
    if start == 0:
        await queries.count_download(db, file.id)
        await cache.invalidate(*FILE_TAGS)
    return content


async def update_file(
    work: Work, file_id: str, values: UpdateFile, precondition: Precondition
) -> tuple[StoredFile, list[str]]:
    """Merges the given fields and sets `updatedAt`; also returns the jobs to run. Raises PreconditionFailed
    when the client has seen an older version.
    """

    if values.held_back:
        stored = await get_file(work.db, work.actor, file_id)
        values.settle(stored.file.model_dump(mode="json", by_alias=True))

    async def update(tx: Database) -> tuple[StoredFile, list[str]]:
        await check_links(tx, idea_id=values.idea_id, system_id=values.system_id)
        before = await _locked(tx, work.actor, file_id, precondition)
        after = await queries.update_file(tx, file_id, values, now())
        if after is None:
            raise FileNotFound(file_id)
        return after, await record(tx, work, before=before, after=after)

    async with invalidating(work):
        return await unit_of_work(work.db, update)


async def delete_file(work: Work, file_id: str, precondition: Precondition) -> tuple[FileMetadata, list[str]]:
    """The row goes first: an object without a row is found and removed by `files.reconcile`, a row without an
    object would be a promise that cannot be kept. Raises PreconditionFailed as an update does.
    """

    async def delete(tx: Database) -> tuple[StoredFile, list[str]]:
        deleted = await _locked(tx, work.actor, file_id, precondition)
        await queries.delete_file(tx, file_id)
        return deleted, await record(tx, work, before=deleted, after=None)

    async with invalidating(work):
        deleted, job_ids = await unit_of_work(work.db, delete)
    try:
        await Objects(work.settings).remove(deleted.object_key)
    except Unavailable:
        log.warning("files.object_left", object_key=deleted.object_key)
    return deleted.file, job_ids


async def _locked(tx: Database, actor: ActorName, file_id: str, precondition: Precondition) -> StoredFile:
    stored = await queries.lock_file(tx, file_id)
    if stored is None or not audience_of(actor.principal).may_see(stored.file):
        raise FileNotFound(file_id)
    precondition.check_version(stored.version, f"File with id {file_id}")
    return stored


def _after(query: FileQuery) -> tuple[str, ...] | None:
    """The sort key behind the cursor, checked part by part."""
    if query.cursor is None:
        return None
    if query.offset:
        wrong = FieldError("offset", "cannot be used together with cursor", query.offset)
        raise Invalid("Validation failed", details=[wrong])
    length = 4 if query.order_by == "mime_type" else 3
    order_by, direction, *place = decode_cursor(query.cursor, length + 1)
    try:
        if (order_by, direction) != (query.order_by, query.order_direction):
            raise ValueError
        if order_by == "size" and str(int(place[0])) != place[0]:
            raise ValueError
        if order_by in ("created_at", "mime_type") and to_iso(from_iso(place[-2])) != place[-2]:
            raise ValueError
    except (ValueError, OverflowError):
        wrong = FieldError(
            "cursor", "must be the nextCursor of an earlier answer in this order", query.cursor
        )
        raise Invalid("Validation failed", details=[wrong]) from None
    return tuple(place)
