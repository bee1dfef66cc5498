"""One idea: reads and writes by its id."""

from datetime import datetime
from typing import Final, TypedDict, cast

from prisma.bases import BaseIdea, BaseSystem
from prisma.errors import ForeignKeyViolationError, UniqueViolationError
from prisma.types import IdeaInclude, IdeaUpdateInput

from core.database.client import Database
from features.ideas.errors import IdeaExists, ReferencedSystemNotFound
from features.ideas.schemas import (
    Category,
    CreateIdea,
    Idea,
    Priority,
    Status,
    StoredIdea,
    SystemLink,
    UpdateIdea,
)


class SystemName(BaseSystem):
    """What is read of the system: its other columns can be large, and would travel with each idea."""

    id: str
    name: str


class IdeaRow(BaseIdea):
    """The columns of an idea, and its system."""

    id: str
    title: str
    description: str
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

# Whoever waits holds a connection, so nobody waits long.
_LOCK: Final = """
SELECT ideas.*
FROM ideas, (SELECT set_config('lock_timeout', '2s', true)) AS patience
WHERE id = $1 FOR UPDATE OF ideas
"""


class Completion(TypedDict, total=False):
    """Present when the change sets or clears it."""

    completed_at: datetime | None


async def find_idea(db: Database, idea_id: str) -> StoredIdea | None:
    row = await IdeaRow.prisma(db).find_unique(where={"id": idea_id}, include=WITH_SYSTEM)
    return None if row is None else _stored(row)


async def idea_exists(db: Database, idea_id: str) -> bool:
    return await db.idea.count(where={"id": idea_id}) > 0


async def create_idea(
    tx: Database, idea_id: str, values: CreateIdea, created_by: str, created_at: datetime
) -> Idea:
    """Raises ReferencedSystemNotFound, or IdeaExists for an id that is stored; the transaction is over
    then.
    """
    try:
        row = await IdeaRow.prisma(tx).create(
            data={
                **values.model_dump(),  # type: ignore[typeddict-item]
                "id": idea_id,
                "created_by": created_by,
                "created_at": created_at,
                "completed_at": created_at if values.status == "completed" else None,
            },
            include=WITH_SYSTEM,
        )
    except ForeignKeyViolationError:
        raise ReferencedSystemNotFound(values.system_id or "") from None
    except UniqueViolationError:
        raise IdeaExists(idea_id) from None
    return idea_of(row)


async def lock_idea(tx: Database, idea_id: str) -> Idea | None:
    """The idea without its system's name, held until the transaction ends: writers of one idea come one after
    the other.

    Raises WriteConflict after two seconds of waiting.
    """
    rows = await tx.query_raw(_LOCK, idea_id, model=IdeaRow)
    return idea_of(rows[0]) if rows else None


async def update_idea(
    tx: Database, idea_id: str, values: UpdateIdea, completion: Completion, updated_at: datetime
) -> Idea | None:
    """Changes the fields that `values` was given, and counts the version up. Raises ReferencedSystemNotFound;
    the transaction is over then.
    """
    changes = {**values.model_dump(exclude_unset=True), **completion, "updated_at": updated_at}
    try:
        row = await IdeaRow.prisma(tx).update(
            where={"id": idea_id},
            data=cast(IdeaUpdateInput, {**changes, "row_version": {"increment": 1}}),
            include=WITH_SYSTEM,
        )
    except ForeignKeyViolationError:
        raise ReferencedSystemNotFound(values.system_id or "") from None
    return None if row is None else idea_of(row)


async def delete_idea(tx: Database, idea_id: str) -> Idea | None:
    row = await IdeaRow.prisma(tx).delete(where={"id": idea_id}, include=WITH_SYSTEM)
    return None if row is None else idea_of(row)


def _stored(row: IdeaRow) -> StoredIdea:
    return StoredIdea(idea_of(row), row.row_version)


def idea_of(row: IdeaRow) -> Idea:
    """Not validated again: the database's own constraints hold for what it returns."""
    return Idea.model_construct(
        id=row.id,
        title=row.title,
        description=row.description,
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
