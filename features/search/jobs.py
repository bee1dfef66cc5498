"""Jobs that keep the index equal to its sources. Unchanged documents are not touched.

`search.reindex` goes through everything; interrupted, it simply begins anew. `search.index_file` follows the
change of one uploaded file, and is enqueued in the transaction of that change, so that no change is missed.
"""

import asyncio
import hashlib
import json
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

import structlog

from core.database.client import Author, Database
from core.jobs import Describe, JobConflict, JobContext, JobKind, Jobs, JobView, JsonObject
from core.platform import Platform
from features.files import api as files
from features.search import queries, service, sql
from features.search.cache import INDEX_TAGS
from features.search.schemas import REINDEX_KIND, Document, Source
from features.search.settings import SearchSettings
from features.search.sources import markdown, uploads
from features.search.sources.description import channels, operations
from features.specs.api import describe

INDEX_FILE_KIND: Final = "search.index_file"
VERSION: Final = 1
"""Version of the index. Raised when documents are made differently from the same sources, so that a start
makes them anew.
"""

_BATCH: Final = 50
_FILES_AT_ONCE: Final = 100

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Tally:
    """Counts of the documents so far."""

    started: datetime
    seen: int = 0
    changed: int = 0
    removed: int = 0
    sources: dict[str, int] = field(default_factory=dict)


async def reindex(context: JobContext) -> JsonObject:
    folder = context.settings.of(SearchSettings).docs_dir
    fingerprint = await asyncio.to_thread(_fingerprint, context.openapi, folder)
    tally = Tally(await sql.moment(context.db))
    if context.openapi is not None:
        openapi = context.openapi()
        await _replace(context, tally, "openapi", operations(openapi))
        await _replace(context, tally, "asyncapi", channels(describe(openapi)))
    if folder is None or await asyncio.to_thread(folder.is_dir):
        await _markdown(context, tally, folder)
    else:
        # A folder that is not mounted at the moment is no reason to forget what was in it.
        log.warning("search.docs_dir_missing", folder=str(folder))
    await _uploads(context, tally)
    # Before the answer, not only once the log of changes is read: batches are written by raw statements.
    await context.cache.invalidate(*INDEX_TAGS)
    return {
        "documents": tally.seen,
        "changed": tally.changed,
        "removed": tally.removed,
        "sources": dict(tally.sources),
        "fingerprint": fingerprint,
    }


async def index_file(context: JobContext) -> JsonObject:
    file_id = str(context.job.arguments["fileId"])
    changed = await service.index_file(context.db, context.settings, file_id)
    if changed:
        await context.cache.invalidate(*INDEX_TAGS)
    return {"changed": changed}


async def follow_file(tx: Database, jobs: Jobs, actor: Author, change: files.FileChange) -> JobView | None:
    """Called for each change of an uploaded file, in its transaction."""
    if change.file.mime_type not in files.TEXT_TYPES:
        return None
    return await jobs.enqueue(tx, INDEX_FILE_KIND, {"fileId": change.file.id}, actor)


async def index_when_stale(platform: Platform) -> None:
    """Reindex if the last time was by another version, with another API or other markdown files; or never.
    Uploads need no look: each of their changes has a job of its own. Of several processes that start, one
    does it.
    """
    settings = platform.settings.of(SearchSettings)
    if not settings.search_index_on_start:
        return
    fingerprint = await asyncio.to_thread(_fingerprint, platform.openapi, settings.docs_dir)
    page = await platform.jobs.list(kind=REINDEX_KIND, state="succeeded", limit=1)
    if any((job.result or {}).get("fingerprint") == fingerprint for job in page.jobs):
        return
    try:
        job = await platform.jobs.enqueue(platform.db, REINDEX_KIND, {}, Author("system"))
    except JobConflict:
        return
    await platform.jobs.run(job.id)


async def _markdown(context: JobContext, tally: Tally, folder: Path | None) -> None:
    found = await asyncio.to_thread(lambda: [] if folder is None else list(markdown.files_of(folder)))
    seen: list[str] = []
    for start in range(0, len(found), _BATCH):
        part = found[start : start + _BATCH]
        read = await asyncio.to_thread(lambda: [markdown.read(each) for each in part])  # noqa: B023 - awaited
        documents = [document for document in read if document is not None]
        await _write(context, tally, "markdown", documents)
        seen += [document.id for document in documents]
    await _remove_others(context, tally, "markdown", seen)


async def _uploads(context: JobContext, tally: Tally) -> None:
    """Index uploaded texts; only files whose facts differ from the indexed ones are read."""
    seen: list[str] = []
    last: str | None = None
    while batch := await files.texts_after(context.db, last, limit=_FILES_AT_ONCE):
        last = batch[-1].id
        hashes = [(uploads.document_id(file.id), uploads.content_hash(file)) for file in batch]
        seen += [document_id for document_id, _ in hashes]
        different = await queries.different(context.db, hashes)
        for file in batch:
            if uploads.document_id(file.id) in different:
                tally.changed += await service.index_file(context.db, context.settings, file.id)
                await context.raise_if_stopping()
        await _count(context, tally, "upload", len(batch))
        if different:
            await context.cache.invalidate(*INDEX_TAGS)
    await _remove_others(context, tally, "upload", seen)


async def _replace(context: JobContext, tally: Tally, source: Source, documents: list[Document]) -> None:
    for start in range(0, len(documents), _BATCH):
        await _write(context, tally, source, documents[start : start + _BATCH])
    await _remove_others(context, tally, source, [document.id for document in documents])


async def _write(context: JobContext, tally: Tally, source: Source, documents: list[Document]) -> None:
    changed = await sql.write(context.db, [(each, each.content_hash) for each in documents])
    if changed:
        await context.cache.invalidate(*INDEX_TAGS)
    tally.changed += changed
    await _count(context, tally, source, len(documents))


async def _count(context: JobContext, tally: Tally, source: Source, documents: int) -> None:
    tally.seen += documents
    tally.sources[source] = tally.sources.get(source, 0) + documents
    await context.progress(phase=source, done=tally.seen)
    await context.raise_if_stopping()


async def _remove_others(context: JobContext, tally: Tally, source: Source, seen: list[str]) -> None:
    removed = await queries.remove_others(context.db, source, seen, tally.started)
    if removed:
        await context.cache.invalidate(*INDEX_TAGS)
    tally.removed += removed


def _fingerprint(openapi: Describe | None, folder: Path | None) -> str:
    """Digest of all sources but uploads. Blocking."""
    found = markdown.files_of(folder) if folder is not None and folder.is_dir() else ()
    listing = [[str(each.path), each.size, each.changed_ns] for each in found]
    facts = [VERSION, None if openapi is None else openapi(), listing]
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()


REINDEX: Final = JobKind(REINDEX_KIND, reindex, exclusive=True, local=True)
INDEX_FILE: Final = JobKind(INDEX_FILE_KIND, index_file, local=True, public_arguments=("fileId",))
