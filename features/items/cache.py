"""How reads of items are cached, and what makes them invalid.

An item hangs on `item:{id}`, a list on `items.list`: a write of one item renews both. Everything hangs on
`items`, which bulk changes renew. Keys are the item's id and the sorted query. An unknown id is not cached.
"""

from typing import Final

from core.cache import Policy

ITEM_TAGS: Final = ("items",)
ITEM: Final = Policy("items.item", tags=("items", "item:{key}"), by_url=True)
LIST: Final = Policy("items.list", tags=("items", "items.list"), by_url=True)

CACHE_TAGS: Final = ("items", "items.list", "item")


def tags_of(item_id: str) -> tuple[str, ...]:
    """What a write of this item must invalidate."""
    return (f"item:{item_id}", "items.list")
