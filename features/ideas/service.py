"""The rules of ideas: what a page may ask for, and what a write makes invalid."""

from uuid import uuid4

import orjson

from core.database.client import Database
from core.database.transaction import retried
from core.deps import Writing
from core.errors import FieldError, Invalid
from core.http.pagination import Position, decode_position
from core.http.rows import Row
from features.ideas import queries
from features.ideas.cache import tags_of
from features.ideas.errors import IdeaNotFound
from features.ideas.schemas import PERSON_LENGTH, CreateIdea, IdeaQuery, UpdateIdea


async def list_ideas(db: Database, query: IdeaQuery) -> bytes:
    """The whole answer: one page, or without paging parameters every idea that matches."""
    after, offset = _after(query), query.offset or 0
    return await queries.list_ideas(
        db, query, query.order_by, query.direction, after=after, offset=offset, size=query.take
    )


async def get_idea(db: Database, idea_id: str) -> Row:
    return _found(idea_id, await queries.find_idea(db, idea_id))


async def create_idea(writer: Writing, values: CreateIdea) -> tuple[str, Row]:
    """Its id, and the idea. It was created by the actor, in the name of whom the values say."""
    idea_id = str(uuid4())
    values = values.model_copy(update={"created_by": _creator(writer, values.created_by)})
    async with writer.cache.invalidating(*tags_of(idea_id)):
        return idea_id, await retried(
            writer.db, lambda tx: queries.create_idea(tx, writer.actor, idea_id, values)
        )


async def update_idea(
    writer: Writing,
    idea_id: str,
    values: UpdateIdea,
    tags: list[str] | None = None,
) -> Row:
    """Merges the given fields and sets `updatedAt`; a move into `completed` sets `completedAt`, one out of it
    clears it.

    Raises Invalid for values that only rows of the old service may keep;
    IdeaChanged unless the idea's ETag is one of the `tags`; None takes any.
    """
    if values.held_back:
        found = await queries.find_idea(writer.db, idea_id)
        values.settle(None if found is None else orjson.loads(found.data))
    async with writer.cache.invalidating(*tags_of(idea_id)):
        updated = await retried(
            writer.db, lambda tx: queries.update_idea(tx, writer.actor, idea_id, values, tags)
        )
        return _found(idea_id, updated)


async def delete_idea(writer: Writing, idea_id: str, tags: list[str] | None = None) -> Row:
    """The idea as it was. Its files stay, and lose their link to it. Raises as `update_idea` does."""
    async with writer.cache.invalidating(*tags_of(idea_id)):
        return _found(
            idea_id, await retried(writer.db, lambda tx: queries.delete_idea(tx, writer.actor, idea_id, tags))
        )


def _creator(writer: Writing, named: str | None) -> str:
    signed = writer.actor.signed(named)
    if writer.actor.principal is not None and not signed.isprintable():
        wrong = FieldError("createdBy", "must have printable characters only", named)
        raise Invalid("Validation failed", details=[wrong])
    if len(signed) > PERSON_LENGTH:
        longest = PERSON_LENGTH - len(signed) + len(named or "")
        wrong = FieldError("createdBy", f"must have at most {longest} characters with this key", named)
        raise Invalid("Validation failed", details=[wrong])
    return signed


def _found(idea_id: str, row: Row | None) -> Row:
    if row is None:
        raise IdeaNotFound(idea_id)
    return row


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
