"""Items for other slices: how many there are, and the table as imports know it (`TAKEOVER`). What items were
in the old service, imports know.
"""

from core.database.client import Database
from features.items import queries
from features.items.cache import ITEM_TAGS
from features.items.schemas import ID_LENGTH, Category, Item, ItemQuery, Priority, Status
from features.items.service import LIST
from features.items.sql.bulk import TAKEOVER

__all__ = [
    "ID_LENGTH",
    "ITEM_TAGS",
    "LIST",
    "TAKEOVER",
    "Category",
    "Item",
    "ItemQuery",
    "Priority",
    "Status",
    "count",
]


async def count(db: Database) -> int:
    return await queries.count_items(db)
