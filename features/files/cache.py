"""Response cache policies of files and their invalidation.

All depend on `files`, which every write renews, and every download that counts. A file shows the idea and the
system that it belongs to, and loses that link when they are deleted, so its responses depend on their tags
too; those are named here, so that the slices need no import of each other. Keys hold the audience. An unknown
id is not cached.
"""

from typing import Final

from core.cache import Policy
from core.database.writes import Write

_LINKED: Final = ("ideas", "systems")
FILE_TAGS: Final = ("files",)

FILE: Final = Policy("files.file", tags=(*FILE_TAGS, *_LINKED))
LIST: Final = Policy("files.list", tags=(*FILE_TAGS, *_LINKED))
STATISTICS: Final = Policy("files.statistics", tags=(*FILE_TAGS, *_LINKED))

CACHE_TAGS: Final = FILE_TAGS


def renewed(write: Write) -> tuple[str, ...]:
    """Tags that a write of files renews."""
    return FILE_TAGS
