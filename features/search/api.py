"""Search for other slices: indexing of files that were written in bulk."""

from collections.abc import Collection

from core.cache import Cache
from core.database.client import Database
from core.settings import Settings
from features.search import service
from features.search.cache import INDEX_TAGS


async def index_files(db: Database, cache: Cache, settings: Settings, file_ids: Collection[str]) -> int:
    """Bring the documents of these files up to date; returns how many changed. Only texts have documents."""
    changed = 0
    for file_id in file_ids:
        changed += await service.index_file(db, settings, file_id)
    if changed:
        await cache.invalidate(*INDEX_TAGS)
    return changed
