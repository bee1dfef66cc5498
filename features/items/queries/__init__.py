"""The only place that asks the database for items. Functions take `db` first and open no transaction."""

from features.items.queries.bulk import compare, existing_ids, load_rows
from features.items.queries.reads import count_items, find_item, list_items
from features.items.queries.takeover import REVERSAL, changed_here, ids_after, records, verdicts
from features.items.queries.writes import change, create_items, creation, delete_item, update_items

__all__ = [
    "REVERSAL",
    "change",
    "changed_here",
    "compare",
    "count_items",
    "create_items",
    "creation",
    "delete_item",
    "existing_ids",
    "find_item",
    "ids_after",
    "list_items",
    "load_rows",
    "records",
    "update_items",
    "verdicts",
]
