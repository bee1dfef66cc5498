"""Ideas read the typed way: what the statements of the slice are held against."""

from typing import cast

from prisma.types import IdeaWhereInput
from pydantic import TypeAdapter

from core.database.client import Database
from core.http.envelope import listed
from core.http.pagination import Position, position_cursor
from features.ideas.queries.rows import WITH_SYSTEM, IdeaRow, idea_of
from features.ideas.schemas import Direction, IdeaFilter, Kanban

CONDITIONS = {"status", "category", "priority", "system_id", "assigned_to"}


async def list_ideas(
    db: Database,
    wanted: IdeaFilter,
    direction: Direction,
    *,
    after: Position | None,
    offset: int,
    size: int | None,
) -> bytes:
    where = cast(IdeaWhereInput, wanted.model_dump(include=CONDITIONS, exclude_none=True))
    total = await db.idea.count(where=where)
    newest = direction == "desc"
    if after is not None:
        where["OR"] = [
            {"created_at": {"lt": after.created_at} if newest else {"gt": after.created_at}},
            {"created_at": after.created_at, "id": {"gt": after.id} if newest else {"lt": after.id}},
        ]
    rows = await IdeaRow.prisma(db).find_many(
        where=where,
        order=[{"created_at": direction}, {"id": "asc" if newest else "desc"}],
        skip=offset or None,
        include=WITH_SYSTEM,
    )
    ideas = [idea_of(row) for row in rows[:size]]
    cursor = None
    if len(rows) > len(ideas):
        cursor = position_cursor(Position(ideas[-1].created_at, ideas[-1].id))
    return listed(ideas, total=total, next_cursor=cursor).model_dump_json(by_alias=True).encode()


async def find_idea(db: Database, idea_id: str) -> tuple[int, bytes]:
    row = await IdeaRow.prisma(db).find_unique_or_raise(where={"id": idea_id}, include=WITH_SYSTEM)
    return row.row_version, idea_of(row).model_dump_json(by_alias=True).encode()


async def board(db: Database) -> bytes:
    kanban = Kanban(new=[], triage=[], in_progress=[], review=[], completed=[], rejected=[])
    for row in await IdeaRow.prisma(db).find_many(
        order=[{"created_at": "desc"}, {"id": "asc"}], include=WITH_SYSTEM
    ):
        getattr(kanban, row.status).append(idea_of(row))
    return kanban.model_dump_json(by_alias=True).encode()


def number(value: float) -> str:
    return TypeAdapter(float).dump_json(value).decode()
