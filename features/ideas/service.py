"""The rules of ideas: what a page may ask for, and what a write changes."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final
from uuid import uuid4

import orjson
from pydantic import TypeAdapter

from core.database.client import Database
from core.database.transaction import retried, unit_of_work
from core.deps import Writing
from core.errors import FieldError, Invalid
from core.http.long_lists import LONG, PAGE, LongList, Spool
from core.http.pagination import Key, check_start, decode_place, encode_place, moment_of, number_of
from core.http.projection import Projected
from core.http.rows import Row, list_body
from features.ideas.errors import IdeaNotFound
from features.ideas.queries import reads, writes
from features.ideas.schemas import PERSON_LENGTH, CreateIdea, Idea, IdeaQuery, OrderBy, UpdateIdea
from features.ideas.sql import match
from features.systems import api as systems

ENTITY: Final = "idea"
_READERS: Final[dict[OrderBy, Callable[[str], Key]]] = {
    "created_at": moment_of,
    "updated_at": moment_of,
    "title": str,
    "priority": number_of,
    "status": number_of,
    "due_date": lambda text: moment_of(text) if text else None,
}
_IDEAS: Final = TypeAdapter(list[Idea])


async def list_ideas(db: Database, query: IdeaQuery) -> bytes:
    """The whole answer: one page, or without paging parameters every idea that matches. Two queries.

    Raises LongList for more of them than are held in memory.
    """
    check_start(query.cursor, query.offset)
    after = _after(query, query.cursor)
    size = query.take or LONG
    if _by_ids(query):
        page = await match.find_page(db, query, after, size)
        if query.take is None and page.last is not None:
            raise LongList
        rows = await reads.ideas_by_id(db, page.ids)
        cursor = None if page.last is None else encode_place(query.scope, *page.last)
        return list_body(replace(rows, next_cursor=cursor), page.total)
    rows = await reads.list_ideas(db, query, after, size)
    if query.take is None and rows.next_cursor is not None:
        raise LongList
    is_all = not query.offset and after is None and rows.next_cursor is None
    return list_body(rows, rows.count if is_all else await reads.count_ideas(db, query))


async def spool_ideas(db: Database, query: IdeaQuery, spool: Spool) -> int:
    """Every idea that matches; returns how many they are."""

    async def page(cursor: str | None, _offset: int, size: int) -> Projected:
        return await reads.list_ideas(db, query, _after(query, cursor), size)

    if not _by_ids(query):
        await spool.fill(page, None, 0)
        return spool.count
    after: match.Place | None = None
    while True:
        found = await match.find_page(db, query, after, LONG, counted=False)
        for start in range(0, len(found.ids), PAGE):
            await spool.write(await reads.ideas_by_id(db, found.ids[start : start + PAGE]))
        after = found.last
        if after is None:
            return spool.count


async def search_ideas(db: Database, text: str, *, limit: int) -> list[Idea]:
    """With their systems, the best match first. Two queries."""
    rows = await reads.ideas_by_id(db, await match.find_best(db, text, limit=limit))
    return _IDEAS.validate_json(b"[%b]" % rows.json)


async def board(db: Database) -> bytes:
    """The answer of the model `Kanban`."""
    lists = (
        b'"%b":[%b]' % (status.encode(), b",".join(ideas))
        for status, ideas in (await reads.board(db)).items()
    )
    return b"{%b}" % b",".join(lists)


async def get_idea(db: Database, idea_id: str) -> Row:
    found = await reads.find_idea(db, idea_id)
    if found is None:
        raise IdeaNotFound(idea_id)
    return found


async def create_idea(writer: Writing, values: CreateIdea) -> tuple[str, Row]:
    """Its id, and the idea. It was created by the actor, in the name of whom the values say."""
    idea_id = str(uuid4())
    values = values.model_copy(update={"created_by": _creator(writer, values.created_by)})
    row = await writer.write(lambda tx: writes.create_idea(tx, idea_id, values))
    return idea_id, row


async def update_idea(writer: Writing, idea_id: str, values: UpdateIdea) -> Row:
    """Merges the given fields and sets `updatedAt`; a move into `completed` sets `completedAt`, one out of it
    clears it.

    Raises Invalid for values that only rows of the old service may keep; IdeaNotFound; IdeaChanged unless the
    idea is as the writer's precondition says; ReferencedSystemNotFound.
    """
    if values.held_back:
        found = await reads.find_idea(writer.db, idea_id)
        values.settle(None if found is None else orjson.loads(found.data))

    async def update(tx: Database) -> Row:
        if values.system_id is not None:
            # Held first, as by those who delete it: they need its ideas then.
            await systems.exists(tx, values.system_id)
        return await writes.update_idea(tx, idea_id, values, writer.precondition)

    run = retried if values.system_id is None else unit_of_work
    return await run(writer.db.acting_as(writer.actor), update)


async def delete_idea(writer: Writing, idea_id: str) -> Row:
    """The idea as it was. Its files stay, and lose their link to it. Raises as `update_idea` does."""
    return await writer.write(lambda tx: writes.delete_idea(tx, idea_id, writer.precondition))


def _by_ids(query: IdeaQuery) -> bool:
    """Whether ids are found first, and the rows by them."""
    return query.search is not None or query.order_by != "created_at"


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


def _after(query: IdeaQuery, cursor: str | None) -> match.Place | None:
    if cursor is None:
        return None
    bare = query.order_by == "created_at"
    key, row_id = decode_place(query.scope, cursor, _READERS[query.order_by], str, issued_bare=bare)
    return key, row_id
