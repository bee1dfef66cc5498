"""Service of ideas: pages, and what a write changes."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final, TypeVar, get_args

import orjson

from core.database.client import AuthoredDatabase, Database
from core.database.transaction import retried, unit_of_work
from core.deps import ActorName
from core.errors import FieldError, InvalidFields
from core.http.answers.conditional import Precondition
from core.http.answers.envelope import Row
from core.http.answers.long_lists import Listing, Spool
from core.http.answers.pagination import Key, decode_place, encode_place, moment_of, number_of
from core.http.answers.projection import Projected
from core.http.bulk import DeleteOperation
from features.ideas import queries
from features.ideas.errors import IdeaNotFound, ReferencedSystemNotFound
from features.ideas.schemas import (
    PERSON_LENGTH,
    CreateIdea,
    IdeaOperations,
    IdeaQuery,
    OrderBy,
    Status,
    UpdateIdea,
)
from features.ideas.sql import match
from features.systems import api as systems

Linked = TypeVar("Linked", CreateIdea, UpdateIdea)

_READERS: Final[dict[OrderBy, Callable[[str], Key]]] = {
    "created_at": moment_of,
    "updated_at": moment_of,
    "title": str,
    "priority": number_of,
    "status": number_of,
    "due_date": lambda text: moment_of(text) if text else None,
}


async def _page(db: Database, query: IdeaQuery, cursor: str | None, offset: int, size: int) -> Projected:
    by, after = query.order_by, None
    if cursor is not None:
        after = decode_place(query.scope, cursor, _READERS[by], str, issued_bare=by == "created_at")
    if by == "created_at" and query.search is None:
        return await queries.list_ideas(db, query, after, offset, size)
    # One more than asked for tells whether there is a next page.
    places, total = await match.find_matching(db, query, after, offset=offset, take=size + 1)
    rows = await queries.ideas_by_id(db, [row_id for _, row_id in places[:size]])
    following = None if len(places) <= size else encode_place(query.scope, *places[size - 1])
    return replace(rows, next_cursor=following, total=total)


LIST: Final = Listing(_page, queries.count_ideas)


async def get_idea(db: Database, idea_id: str) -> Row:
    if (row := await queries.find_idea(db, idea_id)) is None:
        raise IdeaNotFound(idea_id)
    return queries.shown(row)


async def spool_board(db: Database, spool: Spool) -> int:
    """Write the members of the model `Kanban`; returns the number of ideas."""
    for number, status in enumerate(get_args(Status)):
        await spool.add(b'%b"%b":[' % (b"," * bool(number), status.encode()))
        await LIST.fill(db, IdeaQuery(status=status), spool)
        await spool.add(b"]")
    return spool.count


async def create_idea(db: AuthoredDatabase, actor: ActorName, values: CreateIdea) -> tuple[str, Row]:
    """Create an idea; returns its id, and the idea. `created_by` is the actor, signed with the given name."""
    signed = _signed(actor, values)
    return await retried(db, lambda tx: queries.create_idea(tx, signed))


async def update_idea(
    db: AuthoredDatabase, idea_id: str, values: UpdateIdea, precondition: Precondition
) -> Row:
    """Update the given fields and set `updatedAt`; a move into `completed` sets `completedAt`, one out of it
    clears it.

    Raises Invalid for values that only rows of the old service may keep; IdeaNotFound; IdeaChanged unless the
    idea is as the precondition says; ReferencedSystemNotFound.
    """
    if values.held_back:
        found = await queries.find_idea(db, idea_id)
        values.settle(None if found is None else orjson.loads(queries.shown(found).data))

    async def update(tx: Database) -> Row:
        if values.system_id is not None:
            # Locked first, as by a deletion of the system, which then changes its ideas.
            await systems.exists(tx, values.system_id)
        return await queries.update_idea(tx, idea_id, values, precondition)

    run = retried if values.system_id is None else unit_of_work
    return await run(db, update)


async def delete_idea(db: AuthoredDatabase, idea_id: str, precondition: Precondition) -> Row:
    """Delete an idea and return it. Its files stay, without it. Raises IdeaNotFound and IdeaChanged."""
    return await retried(db, lambda tx: queries.delete_idea(tx, idea_id, precondition))


async def write_ideas(db: AuthoredDatabase, actor: ActorName, wanted: IdeaOperations) -> bytes:
    """All of the operations or none. Raises as the first of those that fail would by itself."""
    writes = (each.data for each in wanted.operations if not isinstance(each, DeleteOperation))
    named = {values.system_id for values in writes if values.system_id is not None}

    async def write(tx: Database) -> bytes:
        # Locked first, those that ideas belong to as well, as by a deletion of the system.
        held = await systems.hold(tx, named.union(await queries.systems_of(tx, wanted.rows)))

        def linked(values: Linked) -> Linked:
            if values.system_id is None or values.system_id in held:
                return values
            raise ReferencedSystemNotFound(values.system_id)

        return await queries.TABLE.write(
            tx,
            wanted,
            lambda values: queries.new_row(linked(_signed(actor, values))),
            lambda values: queries.changes(linked(values)),
        )

    return await unit_of_work(db, write)


def _signed(actor: ActorName, values: CreateIdea) -> CreateIdea:
    """Raises Invalid for a name that cannot be signed with the actor's."""
    named = values.created_by
    signed = actor.signed(named)
    if actor.principal is not None and not signed.isprintable():
        wrong = FieldError("createdBy", "must have printable characters only", named)
        raise InvalidFields([wrong])
    if len(signed) > PERSON_LENGTH:
        longest = PERSON_LENGTH - len(signed) + len(named or "")
        wrong = FieldError("createdBy", f"must have at most {longest} characters with this key", named)
        raise InvalidFields([wrong])
    return values.model_copy(update={"created_by": signed})
