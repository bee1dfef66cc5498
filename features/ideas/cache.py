"""Response cache policies of ideas and their invalidation.

The list and the board depend on `ideas`, which every write renews; one idea on `idea:{id}`, which its own
writes renew, and on `idea`, which bulk changes renew. An idea shows the name of its system, so all of them
depend on the tags of systems too. An unknown id is not cached.
"""

from typing import Final

from core.cache import Policy
from core.database.writes import Write
from features.systems.api import SYSTEM_TAGS

IDEA_TAGS: Final = ("ideas",)
BULK_TAGS: Final = (*IDEA_TAGS, "idea")

IDEA: Final = Policy("ideas.idea", tags=("idea", "idea:{key}", *SYSTEM_TAGS), by_url=True)
LIST: Final = Policy("ideas.list", tags=(*IDEA_TAGS, *SYSTEM_TAGS), by_url=True)
KANBAN: Final = Policy("ideas.kanban", tags=(*IDEA_TAGS, *SYSTEM_TAGS), by_url=True)
KANBAN_KEY: Final = "board"

CACHE_TAGS: Final = BULK_TAGS


def renewed(write: Write) -> tuple[str, ...]:
    """Tags that a write of ideas renews."""
    return BULK_TAGS if write.ids is None else (*IDEA_TAGS, *(f"idea:{idea_id}" for idea_id in write.ids))
