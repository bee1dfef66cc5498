"""Items for other slices: how many there are, search, and the table as imports know it (`TAKEOVER`). What
items were in the old service, imports know. Whoever shows several items carries `LIST_TAGS` in its policy.
"""

from collections.abc import Sequence
from functools import partial
from typing import Final

from pydantic import TypeAdapter

from core.database.client import Database
from core.database.statements import Ranked
from features.items import queries
from features.items.cache import ITEM_TAGS, LIST_TAGS
from features.items.schemas import ID_LENGTH, Category, CreateItem, Item, ItemQuery, Priority, Status
from features.items.service import LIST
from features.items.sql.bulk import TAKEOVER
from features.items.sql.match import find_best

_ITEMS: Final = TypeAdapter(list[Item])


async def count(db: Database) -> int:
    return await queries.count_items(db)


async def by_id(db: Database, ids: Sequence[str]) -> list[Item]:
    """Items of these ids that are stored."""
    return _ITEMS.validate_json(b"[%b]" % (await queries.items_by_id(db, ids)).json)


async def search(db: Database, text: str, *, limit: int) -> Ranked[Item]:
    return await Ranked.of(await find_best(db, text, limit=limit), partial(by_id, db))
