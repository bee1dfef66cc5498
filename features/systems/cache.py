"""How reads of systems are cached, and what makes them invalid.

A system hangs on `system:{id}`; what shows several of them, or counts them, on `systems.list`: every write
renews both. Everything hangs on `systems`, and so does what other slices show of a system: its name, or that
something belongs to it. Renaming, deleting and bulk changes renew that one. An unknown id is not cached.
"""

from typing import Final

from core.cache import Policy

SYSTEM_TAGS: Final = ("systems",)
LIST_TAGS: Final = (*SYSTEM_TAGS, "systems.list")

SYSTEM: Final = Policy("systems.system", tags=(*SYSTEM_TAGS, "system:{key}"), by_url=True)
LIST: Final = Policy("systems.list", tags=LIST_TAGS, by_url=True)
SELECTION: Final = Policy("systems.selection", tags=LIST_TAGS, by_url=True)
SEARCH: Final = Policy("systems.search", tags=LIST_TAGS, by_url=True)
STATISTICS: Final = Policy("systems.statistics", tags=LIST_TAGS, by_url=True)
STATISTICS_KEY: Final = "all"

CACHE_TAGS: Final = (*LIST_TAGS, "system")


def tags_of(system_id: str, *, known_elsewhere: bool = False) -> tuple[str, ...]:
    """What a write of this system must invalidate; `known_elsewhere`: other slices show it too."""
    own = (f"system:{system_id}", "systems.list")
    return (*own, *SYSTEM_TAGS) if known_elsewhere else own
