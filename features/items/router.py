"""Routes under `/api/items`: the idea bank's published contract, with paging and filters added."""

from typing import Annotated, Final
from urllib.parse import quote, unquote_to_bytes

from fastapi import Depends, Path, Query, Request, Response, status

from core.cache import Entry
from core.deps import AuthoredDb, Cache, Db, IfMatch
from core.errors import Conflict, Invalid, PreconditionFailed, TooLarge, Unavailable, UnsupportedMediaType
from core.http.answers.conditional import cached_response
from core.http.answers.envelope import Done, Envelope, ListEnvelope, done, error_responses
from core.http.bulk import ABOUT, BulkResponse, Outcome
from core.http.routing import Router
from features.items import service
from features.items.cache import ITEM, LIST
from features.items.errors import ItemNotFound
from features.items.schemas import ID_LENGTH, CreateItem, Item, ItemOperations, ItemQuery, UpdateItem

PREFIX: Final = "/api/items"
BULK: Final = "/api/v1/items/bulk"
ONE: Final = PREFIX + "/{id:text}"
REFUSED_BODY: Final = (Invalid, TooLarge, UnsupportedMediaType)

router = Router(tags=["Items"])


async def item_id(request: Request, id: Annotated[str, Path(description="Item identifier")]) -> str:  # noqa: A002
    """Item id of the path as it was sent, to the character: an escaped slash belongs to it, plain ones at the
    end do not. Raises ItemNotFound for an id that no item can have (too long, or not storable).
    """
    raw: bytes = request.scope.get("raw_path", b"").partition(b"?")[0]
    _, found, sent = raw.partition(PREFIX.encode() + b"/")
    try:
        wanted = unquote_to_bytes(sent.rstrip(b"/")).decode() if found else id
    except UnicodeDecodeError:
        raise ItemNotFound(id) from None
    if len(wanted) > ID_LENGTH or "\0" in wanted:
        raise ItemNotFound(wanted)
    return wanted


ItemId = Annotated[str, Depends(item_id)]


@router.get(
    PREFIX,
    summary="List items",
    description="Newest first. Without parameters it holds every item.",
    response_model=ListEnvelope[Item],
    responses=error_responses(Invalid, Unavailable),
)
async def list_items(
    request: Request, db: Db, cache: Cache, query: Annotated[ItemQuery, Query()]
) -> Response:
    return await service.LIST.answer(request, db, cache, LIST, query, query.limit)


@router.post(
    PREFIX,
    summary="Create item",
    status_code=status.HTTP_201_CREATED,
    response_model=Done[Item],
    responses=error_responses(*REFUSED_BODY, Conflict, Unavailable),
)
async def create_item(db: AuthoredDb, values: CreateItem) -> Response:
    """Its status is `new`, and `updatedAt` is null until the first update."""
    item_id, created = await service.create_item(db, values)
    place = {"Location": f"{PREFIX}/{quote(item_id, safe='')}"}
    return done("Item created successfully", created, status.HTTP_201_CREATED, place)


@router.get(
    ONE,
    summary="Get item",
    response_model=Envelope[Item],
    responses=error_responses(ItemNotFound, Unavailable),
)
async def get_item(request: Request, db: Db, cache: Cache, item_id: ItemId) -> Response:
    """The `ETag` is what `If-Match` of an update or a deletion takes."""

    async def load() -> Entry:
        return (await service.get_item(db, item_id)).entry()

    return await cached_response(request, cache, ITEM, item_id, load)


@router.put(
    ONE,
    summary="Update item",
    description="Changes the fields that are sent. Every accepted update sets `updatedAt`, an empty one too.",
    response_model=Done[Item],
    responses=error_responses(*REFUSED_BODY, ItemNotFound, PreconditionFailed, Unavailable),
)
async def update_item(db: AuthoredDb, item_id: ItemId, if_match: IfMatch, values: UpdateItem) -> Response:
    updated = await service.update_item(db, item_id, values, if_match)
    return done("Item updated successfully", updated)


@router.delete(
    ONE,
    summary="Delete item",
    response_model=Done[Item],
    responses=error_responses(ItemNotFound, PreconditionFailed, Unavailable),
)
async def delete_item(db: AuthoredDb, item_id: ItemId, if_match: IfMatch) -> Response:
    """The answer holds the item as it was."""
    deleted = await service.delete_item(db, item_id, if_match)
    return done("Item deleted successfully", deleted)


@router.post(
    BULK,
    summary="Write many items",
    description=ABOUT,
    response_model=ListEnvelope[Outcome[Item]],
    responses=error_responses(*REFUSED_BODY, ItemNotFound, PreconditionFailed, Conflict, Unavailable),
)
async def write_items(db: AuthoredDb, wanted: ItemOperations) -> BulkResponse:
    return BulkResponse(await service.write_items(db, wanted))
