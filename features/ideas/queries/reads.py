"""Reads of ideas."""

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any, Final, cast, get_args

from prisma.bases import BaseIdea
from prisma.types import (
    IdeaInclude,
    IdeaOrderByInput,
    IdeaTotalScalarFieldKeys,
    IdeaTotalWhereInput,
    IdeaWhereInput,
)

from core.database.client import Database
from core.http.pagination import Position, beyond
from core.http.projection import Projected, projected, projected_in_order, projected_rows
from core.http.rows import Row
from features.ideas.schemas import (
    Idea,
    IdeaCategoryCounts,
    IdeaFilter,
    IdeaPriorityCounts,
    IdeaQuery,
    IdeasStats,
    IdeaStatusCounts,
    Status,
)

NEWEST_FIRST: Final[list[IdeaOrderByInput]] = [{"created_at": "desc"}, {"id": "asc"}]
OLDEST_FIRST: Final[list[IdeaOrderByInput]] = [{"created_at": "asc"}, {"id": "desc"}]
WITH_SYSTEM: Final[IdeaInclude] = {"system": True}


class IdeaTitle(BaseIdea):
    """What is read of an idea that is only named: its other columns can be large."""

    id: str
    title: str


async def list_ideas(
    db: Database, query: IdeaQuery, after: Sequence[Any] | None, offset: int, size: int
) -> Projected:
    """In the order of creation, ties by id. `search` is not looked at."""
    where: dict[str, object] = {**query.kinds, **query.links}
    newest = query.direction == "desc"
    if after is not None:
        where["AND"] = beyond(Position(*after), newest_first=newest)
    return await projected(
        db,
        Idea,
        lambda take: db.idea.find_many(
            where=cast(IdeaWhereInput, where),
            order=NEWEST_FIRST if newest else OLDEST_FIRST,
            skip=offset or None,
            take=take,
            include=WITH_SYSTEM,
        ),
        size=size,
        scope=query.scope,
    )


async def ideas_by_id(db: Database, ids: Sequence[str]) -> Projected:
    """Those of the ids that are stored, in the order of the ids."""
    return await projected_in_order(
        db,
        Idea,
        ids,
        lambda: db.idea.find_many(where={"id": {"in": list(ids)}}, include=WITH_SYSTEM),
    )


async def find_idea(db: Database, idea_id: str) -> Row | None:
    found = await versions_of(db, idea_id)
    return found[0][0] if found else None


async def versions_of(db: Database, idea_id: str) -> list[tuple[Row, str | None]]:
    """The idea, if it is stored, with the import that wrote it last."""
    found = await projected_rows(
        db,
        Idea,
        ("row_version", "import_job_id"),
        lambda: db.idea.find_many(where={"id": idea_id}, include=WITH_SYSTEM),
    )
    return [(Row(version, json), import_job_id) for [version, import_job_id], json in found]


async def board(db: Database) -> dict[Status, list[bytes]]:
    """The JSON of every idea, by status; newest first in each list."""
    lists: dict[Status, list[bytes]] = {status: [] for status in get_args(Status)}
    rows = await projected_rows(
        db, Idea, ("status",), lambda: db.idea.find_many(order=NEWEST_FIRST, include=WITH_SYSTEM)
    )
    for [status], json in rows:
        lists[status].append(json)
    return lists


async def count_ideas(db: Database, wanted: IdeaFilter) -> int:
    """`search` is not looked at. Kinds have counters: the same cost whatever the size of the table."""
    if wanted.links:
        return await db.idea.count(where=cast(IdeaWhereInput, wanted.kinds | wanted.links))
    by: list[IdeaTotalScalarFieldKeys] = ["status"]
    where = cast(IdeaTotalWhereInput, wanted.kinds)
    kinds = await db.ideatotal.group_by(by, where=where, sum={"ideas": True})
    return sum(int(kind["_sum"]["ideas"]) for kind in kinds)


async def statistics(db: Database) -> IdeasStats:
    by: list[IdeaTotalScalarFieldKeys] = ["status", "priority", "category"]
    counts: dict[str, Counter[str]] = {column: Counter() for column in by}
    for kind in await db.ideatotal.group_by(by, sum={"ideas": True}):
        for column, found in counts.items():
            found[cast("dict[str, str]", kind)[column]] += int(kind["_sum"]["ideas"])
    return IdeasStats(
        total=counts["status"].total(),
        by_status=IdeaStatusCounts(**counts["status"]),
        by_priority=IdeaPriorityCounts(**counts["priority"]),
        by_category=IdeaCategoryCounts(**counts["category"]),
    )


async def titles_of(db: Database, ids: Collection[str]) -> dict[str, str]:
    """Of those ideas that exist, by id; no query for no ids."""
    rows = await IdeaTitle.prisma(db).find_many(where={"id": {"in": list(ids)}}) if ids else []
    return {row.id: row.title for row in rows}


async def exists(db: Database, idea_id: str) -> bool:
    """With a client in a transaction, as of that transaction; the foreign key decides in the end."""
    return await db.idea.count(where={"id": idea_id}) > 0
