"""Routes under `/api/v1/ideas`: the published contract, with relations, filters, orders and paging added."""

from typing import Annotated, Final
from urllib.parse import quote

from fastapi import Depends, Path, Query, Request, Response, status

from core.cache import Entry
from core.deps import Actor, AuthoredDb, Cache, Db, IfMatch
from core.errors import Conflict, Invalid, PreconditionFailed, TooLarge, Unavailable, UnsupportedMediaType
from core.http.answers.conditional import cached_response
from core.http.answers.envelope import Done, Envelope, ListEnvelope, done, error_responses, text_entry
from core.http.answers.long_lists import LongList, spooled_list
from core.http.bulk import ABOUT, BulkResponse, Outcome
from core.http.request.fields import fault_of
from core.http.routing import Router
from features.ideas import queries, service
from features.ideas.cache import IDEA, KANBAN, KANBAN_KEY, LIST
from features.ideas.errors import IdeaNotFound
from features.ideas.schemas import ID_LENGTH, CreateIdea, Idea, IdeaOperations, IdeaQuery, Kanban, UpdateIdea

PREFIX: Final = "/api/v1/ideas"
ONE: Final = PREFIX + "/{id}"
FOUND: Final = error_responses(IdeaNotFound, Unavailable)
CHECKED: Final = error_responses(Invalid, TooLarge, UnsupportedMediaType, Unavailable)
CHANGED: Final = CHECKED | error_responses(IdeaNotFound, PreconditionFailed)

router = Router(tags=["Ideas"])


async def idea_id(id: Annotated[str, Path(description="Idea identifier (UUID)")]) -> str:  # noqa: A002
    """Idea id of the path. Raises IdeaNotFound for one that no idea can have (too long, not storable)."""
    if len(id) > ID_LENGTH or fault_of(id) is not None:
        raise IdeaNotFound(id)
    return id


IdeaId = Annotated[str, Depends(idea_id)]


@router.get(
    PREFIX,
    summary="List documentation ideas",
    description="Newest first. Without `limit`, `offset` and `cursor` it holds every idea that matches.",
    response_model=ListEnvelope[Idea],
    responses=error_responses(Invalid, Unavailable),
)
async def list_ideas(
    request: Request, db: Db, cache: Cache, query: Annotated[IdeaQuery, Query()]
) -> Response:
    return await service.LIST.answer(request, db, cache, LIST, query, query.take)


@router.post(
    PREFIX,
    summary="Create idea",
    status_code=status.HTTP_201_CREATED,
    response_model=Done[Idea],
    responses=CHECKED | error_responses(Conflict),
)
async def create_idea(db: AuthoredDb, actor: Actor, values: CreateIdea) -> Response:
    """Without a `status` it is `new`. A `systemId` that no system has is refused."""
    idea_id, created = await service.create_idea(db, actor, values)
    place = {"Location": f"{PREFIX}/{quote(idea_id, safe='')}"}
    return done("Idea created successfully", created, status.HTTP_201_CREATED, place)


@router.get(
    PREFIX + "/kanban",
    summary="Get Kanban board view",
    description="Every idea, grouped by status; newest first in each list.",
    response_model=Kanban,
    responses=error_responses(Unavailable),
)
async def get_kanban(request: Request, db: Db, cache: Cache) -> Response:
    async def load() -> Entry:
        return await text_entry(await queries.board(db))

    try:
        return await cached_response(request, cache, KANBAN, KANBAN_KEY, load)
    except LongList:
        return await spooled_list(request, db, service.spool_board, (b"{", b"}"))


@router.post(
    PREFIX + "/bulk",
    summary="Write many ideas",
    description=ABOUT,
    response_model=ListEnvelope[Outcome[Idea]],
    responses=CHANGED | error_responses(Conflict),
)
async def write_ideas(db: AuthoredDb, actor: Actor, wanted: IdeaOperations) -> BulkResponse:
    return BulkResponse(await service.write_ideas(db, actor, wanted))


@router.get(ONE, summary="Get idea by ID", response_model=Envelope[Idea], responses=FOUND)
async def get_idea(request: Request, db: Db, cache: Cache, idea_id: IdeaId) -> Response:
    """With the id and the name of its system."""

    async def load() -> Entry:
        return (await service.get_idea(db, idea_id)).entry()

    return await cached_response(request, cache, IDEA, idea_id, load)


@router.put(
    ONE,
    summary="Update idea",
    description="Changes the fields that are sent; null empties those that may be empty. A move into "
    "`completed` sets `completedAt`, a move out of it removes it. Every accepted update sets `updatedAt`.",
    response_model=Done[Idea],
    responses=CHANGED,
)
async def update_idea(db: AuthoredDb, idea_id: IdeaId, if_match: IfMatch, values: UpdateIdea) -> Response:
    updated = await service.update_idea(db, idea_id, values, if_match)
    return done("Idea updated successfully", updated)


@router.delete(
    ONE,
    summary="Delete idea",
    response_model=Done[Idea],
    responses=FOUND | error_responses(PreconditionFailed),
)
async def delete_idea(db: AuthoredDb, idea_id: IdeaId, if_match: IfMatch) -> Response:
    """The answer holds the idea as it was. Its files stay, without their link to it."""
    return done("Idea removed successfully", await service.delete_idea(db, idea_id, if_match))
