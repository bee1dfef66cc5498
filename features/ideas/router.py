"""`/api/v1/ideas` over HTTP: the published contract, with relations, filters, orders and paging added."""

from typing import Annotated, Final
from urllib.parse import quote

from fastapi import APIRouter, Depends, Path, Query, Request, Response, status

from core.cache import Entry, cache_key
from core.deps import Actor, Cache, Db
from core.errors import Conflict, Invalid, TooLarge, Unavailable, UnsupportedMediaType
from core.http.conditional import cached_response, json_entry
from core.http.envelope import Done, Envelope, ListEnvelope, error_responses
from core.http.text import fault_of
from features.ideas import service
from features.ideas.cache import IDEA, KANBAN, KANBAN_KEY, LIST
from features.ideas.errors import IdeaNotFound
from features.ideas.schemas import ID_LENGTH, CreateIdea, Idea, IdeaQuery, Kanban, UpdateIdea

PREFIX: Final = "/api/v1/ideas"
ONE: Final = PREFIX + "/{id}"
REFUSED_BODY: Final = (Invalid, TooLarge, UnsupportedMediaType)

router = APIRouter(tags=["Ideas"])


async def idea_id(id: Annotated[str, Path(description="Idea identifier (UUID)")]) -> str:  # noqa: A002
    """What no idea's id can be (longer, or not text that can be stored) is not looked for."""
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
    async def load() -> Entry:
        return json_entry(await service.list_ideas(db, query))

    return await cached_response(request, cache, LIST, cache_key(**query.model_dump()), load)


@router.post(
    PREFIX,
    summary="Create idea",
    status_code=status.HTTP_201_CREATED,
    responses=error_responses(*REFUSED_BODY, Conflict, Unavailable),
)
async def create_idea(
    db: Db, cache: Cache, actor: Actor, values: CreateIdea, response: Response
) -> Done[Idea]:
    created = await service.create_idea(db, cache, actor, values)
    response.headers["Location"] = f"{PREFIX}/{quote(created.id, safe='')}"
    return Done[Idea](message="Idea created successfully", data=created)


@router.get(
    PREFIX + "/kanban",
    summary="Get Kanban board view",
    description="Every idea, grouped by status; newest first in each list.",
    response_model=Kanban,
    responses=error_responses(Unavailable),
)
async def get_kanban(request: Request, db: Db, cache: Cache) -> Response:
    async def load() -> Entry:
        return json_entry(await service.kanban(db))

    return await cached_response(request, cache, KANBAN, KANBAN_KEY, load)


@router.get(
    ONE,
    summary="Get idea by ID",
    response_model=Envelope[Idea],
    responses=error_responses(IdeaNotFound, Unavailable),
)
async def get_idea(request: Request, db: Db, cache: Cache, idea_id: IdeaId) -> Response:
    async def load() -> Entry:
        stored = await service.get_idea(db, idea_id)
        return json_entry(Envelope[Idea](data=stored.idea), version=stored.version)

    return await cached_response(request, cache, IDEA, idea_id, load)


@router.put(
    ONE,
    summary="Update idea",
    description="Changes the fields that are sent; null empties those that may be empty. A move into "
    "`completed` sets `completedAt`, a move out of it removes it. Every accepted update sets `updatedAt`.",
    responses=error_responses(*REFUSED_BODY, IdeaNotFound, Unavailable),
)
async def update_idea(db: Db, cache: Cache, actor: Actor, idea_id: IdeaId, values: UpdateIdea) -> Done[Idea]:
    updated = await service.update_idea(db, cache, actor, idea_id, values)
    return Done[Idea](message="Idea updated successfully", data=updated)


@router.delete(ONE, summary="Delete idea", responses=error_responses(IdeaNotFound, Unavailable))
async def delete_idea(db: Db, cache: Cache, actor: Actor, idea_id: IdeaId) -> Done[Idea]:
    """The answer holds the idea as it was. Its files stay, without their link to it."""
    deleted = await service.delete_idea(db, cache, actor, idea_id)
    return Done[Idea](message="Idea removed successfully", data=deleted)
