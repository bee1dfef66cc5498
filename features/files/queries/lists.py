"""Queries of several files: pages, statistics, lookups. Functions take `db` first and open no transaction."""

from collections.abc import Collection, Sequence
from typing import Any, cast

from prisma.bases import BaseFile
from prisma.types import FileOrderByInput, FileScalarFieldKeys, FileWhereInput

from core.database.client import Database
from features.files.queries.rows import COLUMNS, seen_by, stored
from features.files.schemas import (
    LARGEST_SIZE,
    NEWEST_FIRST,
    Audience,
    FileFilter,
    FileMetadata,
    FilesStats,
    Order,
    StoredContent,
    StoredFile,
)


class FileId(BaseFile):
    id: str


class FileName(BaseFile):
    id: str
    original_name: str


class FileContent(BaseFile):
    id: str
    checksum: str
    object_key: str
    size_bytes: int


class ObjectKey(BaseFile):
    object_key: str


def where_of(wanted: FileFilter, audience: Audience) -> FileWhereInput:
    """Condition of the filter for the audience, without `search`."""
    equal = {"system_id", "idea_id", "uploaded_by", "mime_type", "is_public"}
    where = cast(FileWhereInput, wanted.model_dump(include=equal, exclude_none=True))
    bounds: list[FileWhereInput] = []
    if wanted.min_size is not None:
        # Prisma compares no larger number; no file has more bytes.
        beyond = wanted.min_size > LARGEST_SIZE
        bounds.append({"size_bytes": {"gt": LARGEST_SIZE} if beyond else {"gte": wanted.min_size}})
    if wanted.max_size is not None:
        bounds.append({"size_bytes": {"lte": min(wanted.max_size, LARGEST_SIZE)}})
    if wanted.created_from is not None:
        bounds.append({"created_at": {"gte": wanted.created_from}})
    if wanted.created_to is not None:
        bounds.append({"created_at": {"lte": wanted.created_to}})
    if bounds:
        where["AND"] = bounds
    return cast(FileWhereInput, {**where, **seen_by(audience)})


def after(where: FileWhereInput, order: Order, place: Sequence[Any]) -> list[FileWhereInput]:
    """Conditions for the rows after a place in the order: the rest of its first value, then the values
    beyond.

    Each is a range of an index. Joined by OR they would be none: of a type that many files have the index
    would be read from its first file on.
    """
    [(column, ascending), *rest], [bound, *bounds] = order, place
    ranges = [
        {"AND": [{column: bound}, _beyond(rest, bounds)]},
        {column: {"gt" if ascending else "lt": bound}},
    ]
    return [cast(FileWhereInput, {"AND": [where, each]}) for each in ranges]


def _beyond(order: Sequence[tuple[str, bool]], place: Sequence[Any]) -> dict[str, Any]:
    """Condition for rows after a place. Its first comparison, part of the rest, is for an index to seek."""
    (column, ascending), *rest = order
    sign = "gt" if ascending else "lt"
    strictly = {column: {sign: place[0]}}
    return {column: {f"{sign}e": place[0]}, "OR": [strictly, _beyond(rest, place[1:])]} if rest else strictly


def place_of(file: FileMetadata, order: Order) -> list[Any]:
    """Place of the file in that order."""
    values = {COLUMNS.get(name, name): getattr(file, name) for name in FileMetadata.model_fields}
    return [values[column] for column, _ in order]


async def find_files(
    db: Database,
    where: FileWhereInput,
    order: Order = NEWEST_FIRST,
    *,
    offset: int = 0,
    take: int | None = None,
) -> list[FileMetadata]:
    columns = [{column: "asc" if ascending else "desc"} for column, ascending in order]
    rows = await db.file.find_many(
        where=where, order=cast(list[FileOrderByInput], columns), skip=offset or None, take=take
    )
    return [stored(row).file for row in rows]


async def files_by_id(db: Database, ids: Sequence[str], where: FileWhereInput) -> list[FileMetadata]:
    """Files of those ids that (still) match the conditions, in their order; no query for no ids."""
    if not ids:
        return []
    found = await db.file.find_many(where={"AND": [where, {"id": {"in": list(ids)}}]})
    rows = {row.id: row for row in found}
    return [stored(rows[file_id]).file for file_id in ids if file_id in rows]


async def count_files(db: Database, where: FileWhereInput) -> int:
    return await db.file.count(where=where)


async def statistics(db: Database, audience: Audience) -> FilesStats:
    """Statistics of the files that the audience may see, the most frequent types first."""
    by: list[FileScalarFieldKeys] = ["mime_type"]
    types = await db.file.group_by(by, count=True, sum={"size_bytes": True}, where=seen_by(audience))
    types.sort(key=lambda each: (-each["_count"]["_all"], each["mime_type"]))
    return FilesStats(
        total=sum(each["_count"]["_all"] for each in types),
        total_size=sum(each["_sum"]["size_bytes"] for each in types),
        by_mime_type={each["mime_type"]: each["_count"]["_all"] for each in types},
    )


async def visible(db: Database, ids: Collection[str], audience: Audience) -> frozenset[str]:
    rows = await FileId.prisma(db).find_many(where={"id": {"in": list(ids)}, **seen_by(audience)})
    return frozenset(row.id for row in rows)


async def contents_of(db: Database, ids: Sequence[str]) -> dict[str, StoredContent]:
    rows = await FileContent.prisma(db).find_many(where={"id": {"in": list(ids)}})
    return {row.id: StoredContent(row.checksum, row.object_key, row.size_bytes) for row in rows}


async def names_of(db: Database, ids: Collection[str]) -> dict[str, str]:
    """Names of the files that exist, by id."""
    rows = await FileName.prisma(db).find_many(where={"id": {"in": list(ids)}})
    return {row.id: row.original_name for row in rows}


async def known_keys(db: Database, object_keys: Sequence[str]) -> frozenset[str]:
    """Object keys that files have."""
    rows = await ObjectKey.prisma(db).find_many(where={"object_key": {"in": list(object_keys)}})
    return frozenset(row.object_key for row in rows)


async def files_after(
    db: Database, file_id: str | None, limit: int, mime_types: Sequence[str] | None = None
) -> list[StoredFile]:
    """Next files in the order of their ids, of those types if any are given."""
    where: FileWhereInput = {"id": {"gt": file_id or ""}}
    if mime_types is not None:
        where["mime_type"] = {"in": list(mime_types)}
    rows = await db.file.find_many(where=where, order={"id": "asc"}, take=limit)
    return [stored(row) for row in rows]
