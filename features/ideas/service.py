"""The rules of ideas: what a page holds, when an idea is completed, and writes that are audited in the same
transaction.
"""

from typing import Final
from uuid import uuid4

from pydantic import JsonValue

from core.cache import Cache
from core.database.client import Database
from core.database.transaction import transaction
from core.deps import ActorName
from core.errors import FieldError, Invalid
from core.http.envelope import ListEnvelope, listed
from core.http.pagination import Position, decode_position, position_cursor
from core.http.timestamps import now
from features.audit import api as audit
from features.ideas import queries
from features.ideas.cache import tags_of
from features.ideas.errors import IdeaNotFound
from features.ideas.schemas import CreateIdea, Idea, IdeaFilter, IdeaQuery, Kanban, StoredIdea, UpdateIdea

ENTITY: Final = "idea"


async def list_ideas(db: Database, query: IdeaQuery) -> ListEnvelope[Idea]:
    """One page, or without paging parameters every idea that matches."""
    after = _after(query)
    size = query.take
    # One more than asked for tells whether there is a next page.
    take = None if size is None else size + 1
    offset = query.offset or 0
    ideas = await queries.find_ideas(
        db, query, query.order_by, query.direction, after=after, offset=offset, take=take
    )
    complete = take is None or len(ideas) < take
    ideas = ideas[:size]
    first = after is None and not offset
    total = len(ideas) if complete and first else await queries.count_ideas(db, query)
    cursor = None
    if not complete and query.order_by == "created_at":
        cursor = position_cursor(Position(ideas[-1].created_at, ideas[-1].id))
    return listed(ideas, total=total, next_cursor=cursor)


async def kanban(db: Database) -> Kanban:
    """All ideas in one query."""
    board = Kanban(new=[], triage=[], in_progress=[], review=[], completed=[], rejected=[])
    for idea in await queries.find_ideas(db, IdeaFilter()):
        getattr(board, idea.status).append(idea)
    return board


async def get_idea(db: Database, idea_id: str) -> StoredIdea:
    stored = await queries.find_idea(db, idea_id)
    if stored is None:
        raise IdeaNotFound(idea_id)
    return stored


async def create_idea(db: Database, cache: Cache, actor: ActorName, values: CreateIdea) -> Idea:
    """A new idea was created by the actor, unless the values name somebody."""
    idea_id = str(uuid4())
    async with cache.invalidating(*tags_of(idea_id)), transaction(db) as tx:
        created = await queries.create_idea(tx, idea_id, values, values.created_by or actor.name, now())
        await audit.record_change(tx, actor, "created", ENTITY, idea_id, before=None, after=facts_of(created))
    return created


async def update_idea(db: Database, cache: Cache, actor: ActorName, idea_id: str, values: UpdateIdea) -> Idea:
    """Merges the given fields and sets `updatedAt`; a move into `completed` sets `completedAt`, one out of it
    clears it.
    """
    async with cache.invalidating(*tags_of(idea_id)), transaction(db) as tx:
        before = await queries.lock_idea(tx, idea_id)
        if before is None:
            raise IdeaNotFound(idea_id)
        moment = now()
        completion: queries.Completion = {}
        if "status" in values.model_fields_set and values.status != before.status:
            completion["completed_at"] = moment if values.status == "completed" else None
        after = await queries.update_idea(tx, idea_id, values, completion, moment)
        if after is None:
            raise IdeaNotFound(idea_id)
        await audit.record_change(
            tx, actor, "updated", ENTITY, idea_id, before=facts_of(before), after=facts_of(after)
        )
    return after


async def delete_idea(db: Database, cache: Cache, actor: ActorName, idea_id: str) -> Idea:
    """Its files stay, and lose their link to it."""
    async with cache.invalidating(*tags_of(idea_id)), transaction(db) as tx:
        if await queries.lock_idea(tx, idea_id) is None:
            raise IdeaNotFound(idea_id)
        deleted = await queries.delete_idea(tx, idea_id)
        if deleted is None:
            raise IdeaNotFound(idea_id)
        await audit.record_change(tx, actor, "deleted", ENTITY, idea_id, before=facts_of(deleted), after=None)
    return deleted


def facts_of(idea: Idea) -> dict[str, JsonValue]:
    """The idea as the audit trail compares it: its system's name is a fact of the system."""
    return idea.model_dump(mode="json", by_alias=True, exclude={"system"})


def _after(query: IdeaQuery) -> Position | None:
    if query.cursor is None:
        return None
    wrong = None
    if query.order_by != "created_at":
        wrong = FieldError("cursor", "needs order_by=created_at", query.cursor)
    if query.offset:
        wrong = FieldError("offset", "cannot be used together with cursor", query.offset)
    if wrong is not None:
        raise Invalid("Validation failed", details=[wrong])
    return decode_position(query.cursor)
