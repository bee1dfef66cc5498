"""The job `files.reconcile`: objects that no slice needs go, rows without an object are told.

It is safe beside uploads and deletes. An upload writes its row at most LONGEST_UPLOAD_S after the store has
dated its first object, and objects are spared for twice that time; rows are asked for after the objects were
listed. A row whose object was not listed is checked again before it is reported.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final
from uuid import UUID

import structlog

from core.feature import Feature
from core.jobs import JobContext, JobKind, JsonObject
from features.files.changes.receive import LONGEST_UPLOAD_S
from features.files.queries import lists, rows
from features.files.schemas import StoredFile
from features.files.storage.objects import Objects, StoredObject, is_key

GRACE: Final = timedelta(seconds=2 * LONGEST_UPLOAD_S)
KIND: Final = "files.reconcile"
_ROWS_PER_QUERY: Final = 1000
_TOLD_AT_MOST: Final = 100

log = structlog.get_logger(__name__)


async def run(context: JobContext, features: Sequence[Feature]) -> JsonObject:
    """Repeats from the start when it was interrupted: what it does once, it need not do again."""
    objects = Objects(context.settings)
    await context.progress(phase="objects")
    unfinished = await objects.remove_unfinished(GRACE)
    listed: dict[int, int] = {}
    removed = foreign = 0
    async for batch in objects.list():
        await context.raise_if_stopping()
        ours = [each for each in batch if is_key(each.key)]
        foreign += len(batch) - len(ours)
        removed += await _remove_orphans(context, objects, ours, features)
        listed |= {_number(each.key): each.size for each in ours}
        await context.progress(done=len(listed))
    await context.progress(phase="rows", total=None)
    rows, missing = await _find_missing(context, objects, listed)
    result: JsonObject = {
        "objects": len(listed),
        "foreign": foreign,
        "removed": removed,
        "unfinished": unfinished,
        "rows": rows,
        "missing": len(missing),
        "missingIds": [*missing[:_TOLD_AT_MOST]],
    }
    return result


async def _remove_orphans(
    context: JobContext, objects: Objects, batch: list[StoredObject], features: Sequence[Feature]
) -> int:
    oldest_spared = datetime.now(UTC) - GRACE
    orphans = {each.key for each in batch if each.modified < oldest_spared}
    for feature in features:
        if orphans and feature.needs_objects is not None:
            orphans -= await feature.needs_objects(context.db, sorted(orphans))
    for key in sorted(orphans):
        await objects.remove(key)
        log.info("files.orphan_removed", object_key=key)
    return len(orphans)


async def _find_missing(
    context: JobContext, objects: Objects, listed: dict[int, int]
) -> tuple[int, list[str]]:
    """Number of rows, and the ids of those whose object is missing or has another size."""
    count = 0
    missing: list[str] = []
    rows = await lists.files_after(context.db, None, _ROWS_PER_QUERY)
    while rows:
        for stored in rows:
            if listed.get(_number(stored.object_key)) != stored.file.size and await _lacks(
                context, objects, stored
            ):
                log.error("files.content_missing", file_id=stored.file.id, object_key=stored.object_key)
                missing.append(stored.file.id)
        count += len(rows)
        await context.progress(done=count, rejected=len(missing))
        await context.raise_if_stopping()
        rows = await lists.files_after(context.db, rows[-1].file.id, _ROWS_PER_QUERY)
    return count, missing


async def _lacks(context: JobContext, objects: Objects, stored: StoredFile) -> bool:
    """True if the row still lacks its object: it may have come after the listing, or gone with its row."""
    if await objects.size_of(stored.object_key) == stored.file.size:
        return False
    return await rows.find_file(context.db, stored.file.id) is not None


def _number(key: str) -> int:
    """Object key as a number, which needs less memory."""
    return UUID(key.partition("/")[2]).int if is_key(key) else hash(key)


def reconcile(features: Sequence[Feature]) -> JobKind:
    """The kind, in a process with these features."""
    work = partial(run, features=features)
    return JobKind(KIND, work, exclusive=True, local=True, every=timedelta(days=1))
