"""Routes of reads and writes, with filters, orders and paging added to the published contract."""

from typing import Annotated, Final
from urllib.parse import quote

from fastapi import Path, Query, Request, Response, status

from core.cache import Entry, cache_key
from core.deps import AuthoredDb, Cache, Db, IfMatch
from core.errors import Invalid, PreconditionFailed, TooLarge, Unavailable, UnsupportedMediaType
from core.http.answers.conditional import cached_response, json_entry
from core.http.answers.envelope import Done, Envelope, ListEnvelope, done, error_responses
from core.http.answers.long_lists import LongList, spooled_list
from features.systems import service
from features.systems.cache import LIST, SEARCH, SELECTION, STATISTICS, STATISTICS_KEY, SYSTEM
from features.systems.errors import SystemNameTaken, SystemNotFound
from features.systems.queries import registry
from features.systems.router.path import ONE, PREFIX, SystemId, router
from features.systems.schemas import (
    AnyStatus,
    CreateSystem,
    PageLimit,
    SearchText,
    System,
    SystemArray,
    SystemQuery,
    SystemsStats,
    SystemType,
    UpdateSystem,
)

REFUSED_BODY: Final = (Invalid, TooLarge, UnsupportedMediaType)


@router.get(
    PREFIX,
    summary="List documentation systems",
    description="Newest first. Without parameters it holds every system.",
    response_model=ListEnvelope[System],
    responses=error_responses(Invalid, Unavailable),
)
async def list_systems(
    request: Request, db: Db, cache: Cache, query: Annotated[SystemQuery, Query()]
) -> Response:
    return await service.LIST.answer(request, db, cache, LIST, query, query.limit)


@router.post(
    PREFIX,
    summary="Create documentation system",
    status_code=status.HTTP_201_CREATED,
    response_model=Done[System],
    responses=error_responses(*REFUSED_BODY, SystemNameTaken, Unavailable),
)
async def create_system(db: AuthoredDb, values: CreateSystem) -> Response:
    """Names are unique: one that is taken is answered with 409."""
    system_id, created = await service.create_system(db, values)
    place = {"Location": f"{PREFIX}/{quote(system_id, safe='')}"}
    return done("System created successfully", created, status.HTTP_201_CREATED, place)


@router.get(
    PREFIX + "/status/{status}",
    summary="Get systems by status",
    description="Newest first. `error` is `degraded`; `unknown` means never checked.",
    response_model=list[System],
    responses=error_responses(Invalid, Unavailable),
)
async def list_systems_by_status(
    request: Request,
    db: Db,
    cache: Cache,
    wanted: Annotated[AnyStatus, Path(alias="status", description="Only systems in this state")],
) -> Response:
    query = SystemQuery(status=wanted)
    return await service.ARRAY.answer(request, db, cache, SELECTION, query, None)


@router.get(
    PREFIX + "/type/{type}",
    summary="Get systems by type",
    description="Newest first.",
    response_model=list[System],
    responses=error_responses(Invalid, Unavailable),
)
async def list_systems_by_type(
    request: Request,
    db: Db,
    cache: Cache,
    wanted: Annotated[SystemType, Path(alias="type", description="Only systems of this type")],
) -> Response:
    query = SystemQuery(type=wanted)
    return await service.ARRAY.answer(request, db, cache, SELECTION, query, None)


@router.get(
    PREFIX + "/search",
    summary="Search systems",
    description="The best matches first; words in the name count more.",
    response_model=list[System],
    responses=error_responses(Invalid, Unavailable),
)
async def search_systems(
    request: Request,
    db: Db,
    cache: Cache,
    q: Annotated[SearchText, Query()],
    limit: Annotated[PageLimit | None, Query()] = None,
) -> Response:
    async def load() -> Entry:
        return json_entry(SystemArray(await service.search_systems(db, q, limit=limit)))

    try:
        return await cached_response(request, cache, SEARCH, cache_key(q=q, limit=limit), load)
    except LongList:
        return await spooled_list(
            request, db, lambda tx, spool: service.spool_search(tx, q, spool), (b"[", b"]")
        )


@router.get(
    PREFIX + "/statistics",
    summary="Get system statistics",
    response_model=SystemsStats,
    responses=error_responses(Unavailable),
)
async def get_system_statistics(request: Request, db: Db, cache: Cache) -> Response:
    """Numbers of systems, by status and by type."""

    async def load() -> Entry:
        return json_entry(await registry.statistics(db))

    return await cached_response(request, cache, STATISTICS, STATISTICS_KEY, load)


@router.get(
    ONE,
    summary="Get system by ID",
    response_model=Envelope[System],
    responses=error_responses(SystemNotFound, Unavailable),
)
async def get_system(request: Request, db: Db, cache: Cache, system_id: SystemId) -> Response:
    """Fields without a value are left out."""

    async def load() -> Entry:
        return (await service.get_system(db, system_id)).entry()

    return await cached_response(request, cache, SYSTEM, system_id, load)


@router.put(
    ONE,
    summary="Update system",
    description="Changes the fields that are sent; null empties those that may be empty. Every accepted "
    "update sets `updatedAt`.",
    response_model=Done[System],
    responses=error_responses(
        *REFUSED_BODY, SystemNotFound, SystemNameTaken, PreconditionFailed, Unavailable
    ),
)
async def update_system(
    db: AuthoredDb, system_id: SystemId, if_match: IfMatch, values: UpdateSystem
) -> Response:
    updated = await service.update_system(db, system_id, values, if_match)
    return done("System updated successfully", updated)


@router.delete(
    ONE,
    summary="Delete system",
    response_model=Done[System],
    responses=error_responses(SystemNotFound, PreconditionFailed, Unavailable),
)
async def delete_system(db: AuthoredDb, system_id: SystemId, if_match: IfMatch) -> Response:
    """The answer holds the system as it was. Its ideas and files stay, without their link to it."""
    deleted = await service.delete_system(db, system_id, if_match)
    return done("System removed successfully", deleted)
