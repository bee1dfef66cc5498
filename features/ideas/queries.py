"""Ideas through the typed client. Functions take `db` first and open no transaction."""

from collections import Counter
from collections.abc import Awaitable, Collection, Sequence
from functools import partial
from typing import Any, Final, cast, get_args
from uuid import uuid4

from prisma.bases import BaseIdea
from prisma.errors import ForeignKeyViolationError
from prisma.models import Idea as IdeaRow
from prisma.types import (
    IdeaCreateWithoutRelationsInput,
    IdeaInclude,
    IdeaOrderByInput,
    IdeaScalarFieldKeys,
    IdeaTotalScalarFieldKeys,
    IdeaWhereInput,
)

from core.database.client import Database
from core.database.errors import DatabaseProblem
from core.http.answers.conditional import Precondition, RowState, WriteRow, conditional_write
from core.http.answers.envelope import Row, row_of
from core.http.answers.long_lists import LONG, LongList
from core.http.answers.pagination import Position, beyond
from core.http.answers.projection import Projected, projected, projected_in_order, projected_rows, total_of
from core.http.bulk import BulkTable
from core.http.request.fields import now
from features.ideas.errors import IdeaChanged, IdeaNotFound, ReferencedSystemNotFound
from features.ideas.schemas import (
    CreateIdea,
    Idea,
    IdeaFilter,
    IdeaQuery,
    IdeasStats,
    Status,
    SystemLink,
    UpdateIdea,
)
from features.systems import api as systems

NEWEST_FIRST: Final[list[IdeaOrderByInput]] = [{"created_at": "desc"}, {"id": "asc"}]
KINDS: Final[list[IdeaTotalScalarFieldKeys]] = ["status", "priority", "category"]
WITH_SYSTEM: Final[IdeaInclude] = {"system": True}
TABLE: Final = BulkTable(
    "ideas", "Idea", Idea, lambda db: db.idea, IdeaNotFound, IdeaChanged, include={"system": True}
)


class IdeaTitle(BaseIdea):
    """Columns of an idea that is only named: others can be large."""

    id: str
    title: str


async def list_ideas(
    db: Database, query: IdeaQuery, after: Sequence[Any] | None, offset: int, size: int
) -> Projected:
    """In the order of creation, ties by id. `search` is not looked at."""
    where: Any = query.kinds | query.links
    newest = query.direction == "desc"
    if after is not None:
        where["AND"] = beyond(Position(*after), newest_first=newest)
    order: Any = NEWEST_FIRST if newest else [{"created_at": "asc"}, {"id": "desc"}]
    find = partial(db.idea.find_many, where=where, order=order, skip=offset or None, include=WITH_SYSTEM)
    total = None if query.links else partial(_totals, db, query)
    return await projected(db, Idea, lambda take: find(take=take), total=total, size=size, scope=query.scope)


async def ideas_by_id(db: Database, ids: Sequence[str]) -> Projected:
    """Ideas of these ids that are stored, in the order of the ids."""
    where: IdeaWhereInput = {"id": {"in": list(ids)}}
    return await projected_in_order(
        db, Idea, ids, lambda: db.idea.find_many(where=where, include=WITH_SYSTEM)
    )


async def board(db: Database) -> bytes:
    """The answer of the model `Kanban`. Raises LongList."""
    lists: dict[Status, list[bytes]] = {status: [] for status in get_args(Status)}
    find = partial(db.idea.find_many, order=NEWEST_FIRST, include=WITH_SYSTEM, take=LONG + 1)
    rows = await projected_rows(db, Idea, ("status",), find)
    if len(rows) > LONG:
        raise LongList
    for [status], json in rows:
        lists[status].append(json)
    return b"{%b}" % b",".join(
        b'"%b":[%b]' % (status.encode(), b",".join(ideas)) for status, ideas in lists.items()
    )


async def count_ideas(db: Database, wanted: IdeaFilter) -> int:
    return total_of(await _totals(db, wanted))


def _totals(db: Database, wanted: IdeaFilter) -> Awaitable[Any]:
    """`search` is not looked at. Kinds have counters: the same cost whatever the size of the table."""
    where: Any = wanted.kinds | wanted.links
    if wanted.links:
        return db.idea.count(where=where)
    return db.ideatotal.group_by(KINDS[:1], where=where, sum={"ideas": True})


async def statistics(db: Database) -> IdeasStats:
    counts: dict[str, Counter[str]] = {f"by_{column}": Counter() for column in KINDS}
    for kind in await db.ideatotal.group_by(KINDS, sum={"ideas": True}):
        for column in KINDS:
            counts[f"by_{column}"][str(kind[column])] += int(kind["_sum"]["ideas"])
    return IdeasStats.model_validate({"total": counts["by_status"].total(), **counts})


async def titles_of(db: Database, ids: Collection[str]) -> dict[str, str]:
    """Titles of the ideas that exist, by id; no query for no ids."""
    rows = await IdeaTitle.prisma(db).find_many(where={"id": {"in": list(ids)}}) if ids else []
    return {row.id: row.title for row in rows}


async def exists(db: Database, idea_id: str) -> bool:
    """True if it exists, in a transaction as of that; the foreign key decides in the end."""
    return await db.idea.count(where={"id": idea_id}) > 0


async def find_idea(db: Database, idea_id: str) -> IdeaRow | None:
    return await db.idea.find_unique(where={"id": idea_id}, include=WITH_SYSTEM)


async def insert_ideas(tx: Database, rows: list[dict[str, Any]]) -> None:
    await tx.idea.create_many(data=cast(list[IdeaCreateWithoutRelationsInput], rows))


async def systems_of(db: Database, ids: Sequence[str]) -> list[str]:
    """Ids of the systems that these ideas belong to."""
    by: list[IdeaScalarFieldKeys] = ["system_id"]
    found = await db.idea.group_by(by, where={"id": {"in": list(ids)}}) if ids else []
    return [each["system_id"] for each in found if each["system_id"]]


def new_row(values: CreateIdea) -> dict[str, Any]:
    row = {"id": str(uuid4()), **values.model_dump(), "created_at": now()}
    return {**row, "completed_at": row["created_at"] if values.status == "completed" else None}


def changes(values: UpdateIdea) -> dict[str, Any]:
    """The moment of completion follows the status (a trigger)."""
    return {**values.model_dump(exclude_unset=True), "updated_at": now()}


async def create_idea(db: Database, values: CreateIdea) -> tuple[str, Row]:
    """Its id, and the idea. Raises ReferencedSystemNotFound."""
    data: Any = new_row(values)
    try:
        return data["id"], await _shown(db, await db.idea.create(data=data))
    except ForeignKeyViolationError:
        raise ReferencedSystemNotFound(values.system_id or "") from None


async def update_idea(db: Database, idea_id: str, values: UpdateIdea, seen: Precondition) -> Row:
    """Raises IdeaNotFound; IdeaChanged when it is not as its writer has seen it; ReferencedSystemNotFound."""
    data: Any = changes(values)
    try:
        return await _change(db, idea_id, seen, lambda where: db.idea.update(where=where, data=data))
    except ForeignKeyViolationError:
        raise ReferencedSystemNotFound(values.system_id or "") from None


async def delete_idea(db: Database, idea_id: str, seen: Precondition) -> Row:
    """The idea as it was. Raises as `update_idea` does."""
    return await _change(db, idea_id, seen, lambda where: db.idea.delete(where=where))


async def _change(db: Database, idea_id: str, seen: Precondition, write: WriteRow[IdeaRow]) -> Row:
    async def find() -> RowState | None:
        if (row := await find_idea(db, idea_id)) is None:
            return None
        columns = {"row_version": row.row_version, "import_job_id": row.import_job_id}
        return RowState(shown(row).etag, columns)

    return await _shown(db, await conditional_write(seen, idea_id, find, write, IdeaNotFound, IdeaChanged))


def shown(row: IdeaRow) -> Row:
    return row_of(Idea, row, row.row_version)


async def _shown(db: Database, row: IdeaRow) -> Row:
    """Row as it was written; a write that includes another row is more than one statement. It may have been
    committed, so an answer without the system's name is better than none.
    """
    try:
        names = await systems.names_of(db, [row.system_id] if row.system_id else [])
    except DatabaseProblem:
        names = {}
    links = [SystemLink(id=system_id, name=name) for system_id, name in names.items()]
    return shown(row.model_copy(update={"system": links[0] if links else None}))
