"""The only place that asks the database for systems. Functions take `db` first and open no transaction."""

from features.systems.queries.bulk import REVERSAL, TAKEOVER, load_systems, names_taken
from features.systems.queries.links import held, link_of
from features.systems.queries.lists import (
    count_systems,
    created_by_day,
    find_systems,
    names_of,
    search_systems,
    statistics,
)
from features.systems.queries.rows import (
    count_targets,
    create_system,
    delete_system,
    find_system,
    hold_system,
    lock_system,
    store_finding,
    targets_after,
    update_system,
)

__all__ = [
    "REVERSAL",
    "TAKEOVER",
    "count_systems",
    "count_targets",
    "create_system",
    "created_by_day",
    "delete_system",
    "find_system",
    "find_systems",
    "held",
    "hold_system",
    "link_of",
    "load_systems",
    "lock_system",
    "names_of",
    "names_taken",
    "search_systems",
    "statistics",
    "store_finding",
    "targets_after",
    "update_system",
]
