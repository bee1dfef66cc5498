"""The only place that asks the database for audit entries. Functions take `db` first and open no
transaction.
"""

from features.audit.queries.entries import (
    count_entries,
    count_older,
    create,
    delete_older,
    deleted_since,
    entries_of,
    find_entries,
    find_recent,
    recent_statement,
)
from features.audit.queries.takeover import TAKEOVER

__all__ = [
    "TAKEOVER",
    "count_entries",
    "count_older",
    "create",
    "delete_older",
    "deleted_since",
    "entries_of",
    "find_entries",
    "find_recent",
    "recent_statement",
]
