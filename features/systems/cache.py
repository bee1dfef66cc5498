"""How reads of systems are cached, and what makes them invalid.

A system hangs on `system:{id}`; what shows several of them, or counts them, on `systems.list`: every write
renews both. What shows no more than the name of a system (ideas and files do) hangs on `systems.names`, which
only renaming and deleting renew. Everything hangs on `systems`, which bulk changes renew. An unknown id is
not cached.
"""

from typing import Final

from core.cache import Policy

BULK_TAGS: Final = ("systems",)
LIST_TAGS: Final = ("systems", "systems.list")
NAME_TAGS: Final = ("systems", "systems.names")

SYSTEM: Final = Policy("systems.system", tags=("systems", "system:{key}"))
LIST: Final = Policy("systems.list", tags=LIST_TAGS)
SELECTION: Final = Policy("systems.selection", tags=LIST_TAGS)
SEARCH: Final = Policy("systems.search", tags=LIST_TAGS)
STATISTICS: Final = Policy("systems.statistics", tags=LIST_TAGS)

CACHE_TAGS: Final = ("systems", "systems.list", "systems.names", "system")


def tags_of(system_id: str, *, name: bool = False) -> tuple[str, ...]:
    """What a write of this system must invalidate; `name`: it is renamed or deleted."""
    tags = (f"system:{system_id}", "systems.list")
    return (*tags, "systems.names") if name else tags
