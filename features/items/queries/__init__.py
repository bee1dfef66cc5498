"""The only place that asks the database for items. Functions take `db` first and open no transaction."""

from features.items.queries.bulk import compare, existing_ids, load_rows
from features.items.queries.rows import (
    count_items,
    create_item,
    delete_item,
    find_item,
    find_items,
    lock_item,
    update_item,
)
from features.items.queries.takeover import REVERSAL, ids_after, records, verdicts

__all__ = [
    "REVERSAL",
    "compare",
    "count_items",
    "create_item",
    "delete_item",
    "existing_ids",
    "find_item",
    "find_items",
    "ids_after",
    "load_rows",
    "lock_item",
    "records",
    "update_item",
    "verdicts",
]
