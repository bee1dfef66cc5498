"""Pages, searches and figures. The statements are composed from fixed parts; every value is a parameter."""

from collections.abc import Sequence
from typing import Final

from prisma.models import File as FileRow

from core.database.client import Database
from core.http.timestamps import to_iso
from features.files.queries.rows import stored
from features.files.schemas import (
    Audience,
    Direction,
    FileFilter,
    FileMetadata,
    FilesStats,
    OrderBy,
    StoredFile,
)

_WORDS: Final = "handover_words(original_name, description)"
_RANKED_AT_MOST: Final = 1000
"""Of more matches than this the newest are ranked."""

# As the indexes have them, which are read forwards or backwards: column, its type, whether it ascends.
_CREATED: Final = ("created_at", "timestamptz", False)
_ID: Final = ("id", "text", True)
_ORDERS: Final[dict[OrderBy, tuple[tuple[str, str, bool], ...]]] = {
    "created_at": (_CREATED, _ID),
    "size": (("size_bytes", "bigint", False), _ID),
    "filename": (("filename", "text", True), _ID),
    "mime_type": (("mime_type", "text", True), _CREATED, _ID),
}

_SEARCH: Final = f"""
WITH matching AS MATERIALIZED (
    SELECT id, created_at FROM files
    WHERE {_WORDS} @@ handover_query($1) AND ($2::text IS NULL OR is_public OR uploaded_by = $2)),
newest AS (SELECT id FROM matching ORDER BY created_at DESC, id LIMIT {_RANKED_AT_MOST})
SELECT files.* FROM files JOIN newest USING (id)
ORDER BY ts_rank({_WORDS}, handover_query($1)) DESC, created_at DESC, id LIMIT $3::int
"""

_STATISTICS: Final = """
SELECT mime_type, count(*)::int AS files, sum(size_bytes)::text AS bytes FROM files
WHERE $1::text IS NULL OR is_public OR uploaded_by = $1
GROUP BY mime_type ORDER BY count(*) DESC, mime_type
"""

_KNOWN_KEYS: Final = "SELECT object_key FROM files WHERE object_key = ANY($1::text[])"

Argument = str | int | bool


class _Conditions:
    """A WHERE clause and its arguments, which grow together."""

    def __init__(self, wanted: FileFilter, audience: Audience) -> None:
        self.arguments: list[Argument] = []
        self._texts: list[str] = []
        self._compare("system_id = {}", wanted.system_id)
        self._compare("idea_id = {}", wanted.idea_id)
        self._compare("uploaded_by = {}", wanted.uploaded_by)
        self._compare("mime_type = {}", wanted.mime_type)
        self._compare("is_public = {}::boolean", wanted.is_public)
        self._compare(f"{_WORDS} @@ handover_query({{}})", wanted.search or None)
        low, high = wanted.size_bounds
        self._compare("size_bytes >= {}::bigint", low)
        self._compare("size_bytes <= {}::bigint", high)
        since, until = wanted.created_from, wanted.created_to
        self._compare("created_at >= {}::timestamptz", None if since is None else to_iso(since))
        self._compare("created_at <= {}::timestamptz", None if until is None else to_iso(until))
        self._compare("(is_public OR uploaded_by = {})", audience.name)

    def argument(self, value: Argument) -> str:
        self.arguments.append(value)
        return f"${len(self.arguments)}"

    def after(self, order: Sequence[tuple[str, str, bool]], bound: Sequence[str]) -> list[str]:
        """What comes after a place in the order: the rest of its first value, and the values beyond.

        Each is a range of the index. Together, joined by OR, they would be none: of a type that many files
        have the index would be read from its first file on.
        """
        places = [
            f"{self.argument(int(value) if kind == 'bigint' else value)}::{kind}"
            for (_, kind, _), value in zip(order, bound, strict=True)
        ]
        signs = [">" if ascending else "<" for _, _, ascending in order]
        steps = list(zip([column for column, _, _ in order], signs, places, strict=True))
        column, beyond, place = steps[0]
        return [
            self.where(f"{column} = {place} AND {_beyond(steps[1:])}"),
            self.where(f"{column} {beyond} {place}"),
        ]

    def where(self, *more: str) -> str:
        texts = [*self._texts, *more]
        return f"WHERE {' AND '.join(texts)}" if texts else ""

    def _compare(self, text: str, value: Argument | None) -> None:
        if value is not None:
            self._texts.append(text.format(self.argument(value)))


def _beyond(steps: Sequence[tuple[str, str, str]]) -> str:
    """The first comparison repeats part of the rest: it is the one that an index can jump to."""
    (column, beyond, place), *rest = steps
    strictly = f"{column} {beyond} {place}"
    return f"{column} {beyond}= {place} AND ({strictly} OR {_beyond(rest)})" if rest else strictly


async def find_files(
    db: Database,
    wanted: FileFilter,
    audience: Audience,
    order_by: OrderBy = "created_at",
    direction: Direction = "DESC",
    *,
    after: Sequence[str] | None = None,
    offset: int = 0,
    take: int | None = None,
) -> list[FileMetadata]:
    """`after` is the `sort_key` of a file in the same order."""
    order = _order(order_by, direction)
    wheres = _Conditions(wanted, audience)
    ranges = [wheres.where()] if after is None else wheres.after(order, after)
    columns = ", ".join(f"{column} {'ASC' if ascending else 'DESC'}" for column, _, ascending in order)
    page = f"ORDER BY {columns}"
    if take is not None:
        page += f" LIMIT {wheres.argument(take)}::int"
    if offset:
        page += f" OFFSET {wheres.argument(offset)}::int"
    statement = " UNION ALL ".join(f"(SELECT * FROM files {where} {page})" for where in ranges)
    statement += f" {page}" if len(ranges) > 1 else ""
    rows = await db.query_raw(statement, *wheres.arguments, model=FileRow)
    return [stored(row).file for row in rows]


def sort_key(file: FileMetadata, order_by: OrderBy) -> tuple[str, ...]:
    """Where the file stands in that order, as texts."""
    values = {
        "created_at": to_iso(file.created_at),
        "size_bytes": str(file.size),
        "filename": file.filename,
        "mime_type": file.mimetype,
        "id": file.id,
    }
    return tuple(values[column] for column, _, _ in _ORDERS[order_by])


async def count_files(db: Database, wanted: FileFilter, audience: Audience) -> int:
    where = _Conditions(wanted, audience)
    [row] = await db.query_raw(f"SELECT count(*)::int AS total FROM files {where.where()}", *where.arguments)
    return int(row["total"])


async def search_files(db: Database, text: str, audience: Audience, limit: int) -> list[FileMetadata]:
    """The best match first."""
    rows = await db.query_raw(_SEARCH, text, audience.name, limit, model=FileRow)
    return [stored(row).file for row in rows]


async def statistics(db: Database, audience: Audience) -> FilesStats:
    rows = await db.query_raw(_STATISTICS, audience.name)
    return FilesStats(
        total=sum(int(row["files"]) for row in rows),
        total_size=sum(int(row["bytes"]) for row in rows),
        by_mime_type={str(row["mime_type"]): int(row["files"]) for row in rows},
    )


async def files_after(
    db: Database, file_id: str | None, limit: int, mime_types: Sequence[str]
) -> list[StoredFile]:
    """In the order of their ids."""
    rows = await db.file.find_many(
        where={"mime_type": {"in": list(mime_types)}, "id": {"gt": file_id or ""}},
        order={"id": "asc"},
        take=limit,
    )
    return [stored(row) for row in rows]


async def known_keys(db: Database, object_keys: Sequence[str]) -> set[str]:
    """Those that a file has."""
    rows = await db.query_raw(_KNOWN_KEYS, list(object_keys))
    return {str(row["object_key"]) for row in rows}


async def all_after(db: Database, file_id: str | None, limit: int) -> list[StoredFile]:
    """All files in the order of their ids."""
    rows = await db.file.find_many(where={"id": {"gt": file_id or ""}}, order={"id": "asc"}, take=limit)
    return [stored(row) for row in rows]


def _order(order_by: OrderBy, direction: Direction) -> list[tuple[str, str, bool]]:
    order = _ORDERS[order_by]
    turned = order[0][2] != (direction == "ASC")
    return [(column, kind, ascending != turned) for column, kind, ascending in order]
