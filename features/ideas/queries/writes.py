"""Changes of one idea. With a client of `acting_as` each leaves its entry and counts the row's version."""

from typing import cast

from prisma.errors import ForeignKeyViolationError, UniqueViolationError
from prisma.models import Idea as IdeaRow
from prisma.types import IdeaCreateInput, IdeaUpdateInput, IdeaWhereInput, IdeaWhereUniqueInput

from core.database.client import Database
from core.http.conditional import Precondition, Seen, WriteRow, as_seen
from core.http.rows import Row, row_of
from core.http.timestamps import now
from features.ideas.errors import IdeaChanged, IdeaExists, IdeaNotFound, ReferencedSystemNotFound
from features.ideas.queries.reads import versions_of
from features.ideas.schemas import CreateIdea, Idea, SystemLink, UpdateIdea
from features.systems import api as systems


async def create_idea(db: Database, idea_id: str, values: CreateIdea) -> Row:
    """Raises ReferencedSystemNotFound, or IdeaExists for an id that is stored."""
    moment = now()
    data = {"id": idea_id, **values.model_dump(), "created_at": moment}
    if values.status == "completed":
        data["completed_at"] = moment
    try:
        row = await db.idea.create(data=cast(IdeaCreateInput, data))
    except ForeignKeyViolationError:
        raise ReferencedSystemNotFound(values.system_id or "") from None
    except UniqueViolationError:
        raise IdeaExists(idea_id) from None
    return await _shown(db, row)


async def update_idea(db: Database, idea_id: str, values: UpdateIdea, seen: Precondition) -> Row:
    """Changes the fields that `values` was given; a move into `completed` sets the moment of completion, one
    out of it clears it.

    Raises IdeaNotFound; IdeaChanged when it is not as its writer has seen it; ReferencedSystemNotFound.
    """
    moment = now()
    data = {**values.model_dump(exclude_unset=True), "updated_at": moment}

    async def update(where: IdeaWhereUniqueInput) -> IdeaRow | None:
        if values.status == "completed" and "status" in data:
            return await _complete(db, where, data)
        changed = {**data, "completed_at": None} if "status" in data else data
        return await db.idea.update(where=where, data=cast(IdeaUpdateInput, changed))

    try:
        return await _change(db, idea_id, seen, update)
    except ForeignKeyViolationError:
        raise ReferencedSystemNotFound(values.system_id or "") from None


async def delete_idea(db: Database, idea_id: str, seen: Precondition) -> Row:
    """The idea as it was. Raises as `update_idea` does."""
    return await _change(db, idea_id, seen, lambda where: db.idea.delete(where=where))


async def _complete(db: Database, where: IdeaWhereUniqueInput, data: dict[str, object]) -> IdeaRow | None:
    """One that is completed already keeps the moment of its completion."""
    moved = {**data, "completed_at": data["updated_at"]}
    while True:
        row = await db.idea.update(
            where={**where, "status": {"not": "completed"}}, data=cast(IdeaUpdateInput, moved)
        ) or await db.idea.update(where={**where, "status": "completed"}, data=cast(IdeaUpdateInput, data))
        # Somebody may have moved it between the two.
        if row is not None or not await db.idea.count(where=cast(IdeaWhereInput, where)):
            return row


async def _shown(db: Database, row: IdeaRow) -> Row:
    """As the API shows it: with the name of its system, if it has one."""
    names = await systems.names_of(db, [row.system_id] if row.system_id else [])
    links = [SystemLink(id=system_id, name=name) for system_id, name in names.items()]
    return row_of(Idea, row.model_copy(update={"system": links[0] if links else None}), row.row_version)


async def _change(db: Database, idea_id: str, seen: Precondition, write: WriteRow[IdeaRow]) -> Row:
    async def find() -> Seen | None:
        for row, import_job_id in await versions_of(db, idea_id):
            return Seen(row.etag, {"row_version": row.version, "import_job_id": import_job_id})
        return None

    return await _shown(db, await as_seen(seen, idea_id, find, write, IdeaNotFound, IdeaChanged))
