"""The only place that asks the database for files. Functions take `db` first and open no transaction."""

from features.files.queries.bulk import REVERSAL, TAKEOVER, contents_of
from features.files.queries.figures import created_by_day
from features.files.queries.lists import (
    all_after,
    count_files,
    files_after,
    find_files,
    known_keys,
    search_files,
    sort_key,
    statistics,
)
from features.files.queries.rows import (
    count_download,
    create_file,
    delete_file,
    find_file,
    lock_file,
    update_file,
    visible,
)

__all__ = [
    "REVERSAL",
    "TAKEOVER",
    "all_after",
    "contents_of",
    "count_download",
    "count_files",
    "create_file",
    "created_by_day",
    "delete_file",
    "files_after",
    "find_file",
    "find_files",
    "known_keys",
    "lock_file",
    "search_files",
    "sort_key",
    "statistics",
    "update_file",
    "visible",
]
