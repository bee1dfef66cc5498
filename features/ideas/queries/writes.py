"""Changes of one idea. With a client of `acting_as` each leaves its entry and counts the row's version."""

from typing import cast

from prisma.errors import ForeignKeyViolationError, UniqueViolationError
from prisma.models import Idea as IdeaRow
from prisma.types import IdeaCreateInput, IdeaUpdateInput, IdeaWhereInput, IdeaWhereUniqueInput

from core.database.client import Database
from core.http.conditional import Precondition
from core.http.rows import Row, row_of
from core.http.timestamps import now
from features.ideas.errors import IdeaChanged, IdeaExists, IdeaNotFound, ReferencedSystemNotFound
from features.ideas.queries.reads import idea_exists, versions_of
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
    where = await _as_seen(db, idea_id, seen)
    moment = now()
    data = {**values.model_dump(exclude_unset=True), "updated_at": moment}
    try:
        if values.status == "completed" and "status" in data:
            row = await _complete(db, where, data)
        else:
            data |= {"completed_at": None} if "status" in data else {}
            row = await db.idea.update(where=where, data=cast(IdeaUpdateInput, data))
    except ForeignKeyViolationError:
        raise ReferencedSystemNotFound(values.system_id or "") from None
    return await _shown(db, row or await _refused(db, idea_id, seen))


async def delete_idea(db: Database, idea_id: str, seen: Precondition) -> Row:
    """The idea as it was. Raises as `update_idea` does."""
    row = await db.idea.delete(where=await _as_seen(db, idea_id, seen))
    return await _shown(db, row or await _refused(db, idea_id, seen))


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


async def _as_seen(db: Database, idea_id: str, seen: Precondition) -> IdeaWhereUniqueInput:
    """Of a row that is as its writer has seen it, the condition that it still is: without it a change between
    looking and writing would be lost. Versions begin anew when an id is imported again, by another job.
    """
    if seen.takes_any:
        return {"id": idea_id}
    found = await versions_of(db, idea_id)
    if not found:
        raise IdeaNotFound(idea_id)
    [(row, import_job_id)] = found
    if not seen.takes(row.etag):
        raise IdeaChanged(idea_id)
    return {"id": idea_id, "row_version": row.version, "import_job_id": import_job_id}


async def _refused(db: Database, idea_id: str, seen: Precondition) -> IdeaRow:
    if seen.takes_any or not await idea_exists(db, idea_id):
        raise IdeaNotFound(idea_id)
    raise IdeaChanged(idea_id)
