"""Objects and search documents of imported files."""

from collections.abc import Sequence

import structlog

from core.database.client import Database
from core.jobs import JobContext
from features.files import api as files
from features.imports.queries import journal
from features.search import api as search

log = structlog.get_logger(__name__)


async def needed(db: Database, keys: Sequence[str]) -> frozenset[str]:
    """Keys of those objects that files had before an import overwrote them, as long as the files exist."""
    replaced = await journal.replaced_objects(db, keys)
    stored = await files.contents_of(db, sorted(set(replaced.values())))
    return frozenset(key for key, file_id in replaced.items() if file_id in stored)


async def settle(context: JobContext, job_id: str, file_ids: Sequence[str]) -> None:
    """Discard the objects that the import stored, but those of files that stay, and index the files as they
    are now. May be called again for the same ones.
    """
    stored = await files.contents_of(context.db, file_ids)
    used = {content.object_key for content in stored.values()}
    for file_id in file_ids:
        if (key := files.key_for(job_id, file_id)) not in used:
            await files.discard(context.settings, key)
    await search.index_files(context.db, context.cache, context.settings, file_ids)
