"""Ideas and their systems as the typed client reads them: for what is asked seldom."""

from datetime import datetime
from typing import Final, cast

from prisma.bases import BaseIdea, BaseSystem
from prisma.types import IdeaInclude

from core.database.client import Database
from features.ideas.schemas import Category, Idea, Priority, Status, SystemLink


class SystemName(BaseSystem):
    """What is read of the system: its other columns can be large, and would travel with each idea."""

    id: str
    name: str


class IdeaRow(BaseIdea):
    """The columns of an idea, and its system."""

    id: str
    title: str
    description: str | None
    status: str
    category: str
    priority: str
    tags: list[str]
    system_id: str | None
    assigned_to: str | None
    created_by: str | None
    estimated_hours: float | None
    actual_hours: float | None
    due_date: datetime | None
    completed_at: datetime | None
    created_at: datetime
    updated_at: datetime | None
    row_version: int
    system: SystemName | None = None


WITH_SYSTEM: Final = cast(IdeaInclude, {"system": {"select": {"id": True, "name": True}}})


async def idea_exists(db: Database, idea_id: str) -> bool:
    return await db.idea.count(where={"id": idea_id}) > 0


def idea_of(row: IdeaRow) -> Idea:
    """Not validated again: the database's own constraints hold for what it returns."""
    return Idea.model_construct(
        id=row.id,
        title=row.title,
        description=row.description or "",
        category=cast(Category, row.category),
        priority=cast(Priority, row.priority),
        status=cast(Status, row.status),
        tags=row.tags,
        system_id=row.system_id,
        system=None if row.system is None else SystemLink(id=row.system.id, name=row.system.name),
        assigned_to=row.assigned_to,
        created_by=row.created_by,
        estimated_hours=row.estimated_hours,
        actual_hours=row.actual_hours,
        due_date=row.due_date,
        completed_at=row.completed_at,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
