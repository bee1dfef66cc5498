"""Response cache policies of systems and their invalidation.

A system depends on `system:{id}`; responses that show or count several of them on `systems.list`: every write
renews both. All depend on `systems`, and so does what other slices show of a system: its name, or that
something belongs to it. Renaming, deleting and bulk changes renew that one. An unknown id is not cached.
"""

from typing import Final

from core.cache import Policy
from core.database.writes import Write

SYSTEM_TAGS: Final = ("systems",)
LIST_TAGS: Final = (*SYSTEM_TAGS, "systems.list")

SYSTEM: Final = Policy("systems.system", tags=(*SYSTEM_TAGS, "system:{key}"), by_url=True)
LIST: Final = Policy("systems.list", tags=LIST_TAGS, by_url=True)
SELECTION: Final = Policy("systems.selection", tags=LIST_TAGS, by_url=True)
SEARCH: Final = Policy("systems.search", tags=LIST_TAGS, by_url=True)
STATISTICS: Final = Policy("systems.statistics", tags=LIST_TAGS, by_url=True)
STATISTICS_KEY: Final = "all"

CACHE_TAGS: Final = (*LIST_TAGS, "system")


def renewed(write: Write) -> tuple[str, ...]:
    """Tags that a write of systems renews."""
    if write.ids is None:
        return SYSTEM_TAGS
    own = ("systems.list", *(f"system:{system_id}" for system_id in write.ids))
    is_shown_elsewhere = write.operation.startswith("delete") or "name" in write.fields
    return (*own, *SYSTEM_TAGS) if is_shown_elsewhere else own
