"""The only place that asks the database for items. Functions take `db` first and open no transaction."""

from features.items.queries.bulk import compare, existing_ids, load_rows
from features.items.queries.reads import count_items, find_item, list_items
from features.items.queries.takeover import REVERSAL, ids_after, records, verdicts
from features.items.queries.writes import create_item, delete_item, update_item

__all__ = [
    "REVERSAL",
    "compare",
    "count_items",
    "create_item",
    "delete_item",
    "existing_ids",
    "find_item",
    "ids_after",
    "list_items",
    "load_rows",
    "records",
    "update_item",
    "verdicts",
]
