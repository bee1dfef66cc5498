"""Response cache policies of items and their invalidation.

An item depends on `item:{id}`, a list on `items.list`: a write of one item renews both. All depend on
`items`, which bulk changes renew. Keys are the item's id and the sorted query. An unknown id is not cached.
"""

from typing import Final

from core.cache import Policy
from core.database.writes import Write

ITEM_TAGS: Final = ("items",)
ITEM: Final = Policy("items.item", tags=("items", "item:{key}"), by_url=True)
LIST_TAGS: Final = ("items", "items.list")
LIST: Final = Policy("items.list", tags=LIST_TAGS, by_url=True)

CACHE_TAGS: Final = ("items", "items.list", "item")


def renewed(write: Write) -> tuple[str, ...]:
    """Tags that a write of items renews."""
    if write.ids is None:
        return ITEM_TAGS
    return ("items.list", *(f"item:{item_id}" for item_id in write.ids))
