"""Routes of lists, searches, statistics and metadata: cached, with an ETag."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Final

from fastapi import Path, Query, Request, Response

from core.cache import Cache as CacheService
from core.cache import Entry, cache_key
from core.deps import Actor, AppSettings, Cache, Db
from core.errors import Invalid, Unavailable
from core.http.answers.conditional import cached_response, json_entry
from core.http.answers.envelope import Envelope, ListEnvelope, error_responses
from core.http.request.fields import Text
from features.files import service
from features.files.cache import FILE, LIST, STATISTICS
from features.files.errors import FileNotFound
from features.files.queries import lists
from features.files.router.requests import ONE, PREFIX, FileId, router
from features.files.schemas import (
    ID_LENGTH,
    MAX_FILES,
    FileFilter,
    FileMetadata,
    FileQuery,
    Files,
    FilesStats,
    SearchQuery,
    UploadInfo,
)
from features.files.settings import FileSettings
from features.files.storage.formats import FORMATS

LinkedTo = Annotated[Text, Path(max_length=ID_LENGTH)]
_DECLARED: Final = error_responses(Invalid, Unavailable)


@router.get(
    PREFIX,
    summary="List uploaded files",
    description="Newest first, 50 at a time unless told otherwise. `nextCursor` leads to the next page.",
    response_model=ListEnvelope[FileMetadata],
    responses=_DECLARED,
)
async def list_files(
    request: Request, db: Db, cache: Cache, actor: Actor, query: Annotated[FileQuery, Query()]
) -> Response:
    async def load() -> Entry:
        return json_entry(await service.list_files(db, actor, query))

    key = cache_key(audience=service.audience_of(actor.principal).name, **query.model_dump(mode="json"))
    return await cached_response(request, cache, LIST, key, load)


@router.get(
    "/api/v1/ideas/{ideaId}/files",
    name="list_files_below_idea",
    summary="Get files by idea (as old clients ask)",
    response_model=list[FileMetadata],
    responses=_DECLARED,
)
@router.get(
    PREFIX + "/idea/{ideaId}",
    summary="Get files by idea",
    response_model=list[FileMetadata],
    responses=_DECLARED,
)
async def list_files_of_idea(
    request: Request,
    db: Db,
    cache: Cache,
    actor: Actor,
    idea_id: Annotated[LinkedTo, Path(alias="ideaId", description="Idea identifier")],
) -> Response:
    """All files of the idea, newest first; an empty list for an idea that does not exist."""

    async def find() -> list[FileMetadata]:
        audience = service.audience_of(actor.principal)
        return await lists.find_files(db, lists.where_of(FileFilter(idea_id=idea_id), audience))

    return await _without_envelope(request, cache, actor, ("idea", idea_id), find)


@router.get(
    PREFIX + "/system/{systemId}",
    summary="Get files by system",
    description="All files of the system, newest first; an empty list for a system that does not exist.",
    response_model=list[FileMetadata],
    responses=_DECLARED,
)
async def list_files_of_system(
    request: Request,
    db: Db,
    cache: Cache,
    actor: Actor,
    system_id: Annotated[LinkedTo, Path(alias="systemId", description="System identifier")],
) -> Response:
    async def find() -> list[FileMetadata]:
        audience = service.audience_of(actor.principal)
        return await lists.find_files(db, lists.where_of(FileFilter(system_id=system_id), audience))

    return await _without_envelope(request, cache, actor, ("system", system_id), find)


@router.get(
    PREFIX + "/search",
    summary="Search files",
    description="By name and description, the best match first.",
    response_model=list[FileMetadata],
    responses=_DECLARED,
)
async def search_files(
    request: Request, db: Db, cache: Cache, actor: Actor, query: Annotated[SearchQuery, Query()]
) -> Response:
    async def find() -> list[FileMetadata]:
        return await service.search_files(db, query.q, service.audience_of(actor.principal), query.limit)

    return await _without_envelope(request, cache, actor, ("search", query.q, query.limit), find)


@router.get(
    PREFIX + "/stats",
    name="get_file_stats",
    summary="Get file statistics (as old clients ask)",
    response_model=FilesStats,
    responses=error_responses(Unavailable),
)
@router.get(
    PREFIX + "/statistics",
    summary="Get file statistics",
    response_model=FilesStats,
    responses=error_responses(Unavailable),
)
async def get_file_statistics(request: Request, db: Db, cache: Cache, actor: Actor) -> Response:
    """Number and bytes of the files that the asker may see, and their types."""
    audience = service.audience_of(actor.principal)

    async def load() -> Entry:
        return json_entry(await lists.statistics(db, audience))

    return await cached_response(request, cache, STATISTICS, cache_key(audience=audience.name), load)


@router.get(PREFIX + "/upload-info", summary="Get upload configuration")
async def get_upload_info(settings: AppSettings) -> UploadInfo:
    """Limits of uploads: bytes of a file, extensions, files of a request."""
    return UploadInfo(
        max_file_size=int(settings.of(FileSettings).files_max_bytes),
        allowed_extensions=list(FORMATS),
        max_files_per_request=MAX_FILES,
    )


@router.get(
    ONE + "/metadata",
    name="get_file_metadata",
    summary="Get file metadata (as old clients ask)",
    response_model=Envelope[FileMetadata],
    responses=error_responses(FileNotFound, Unavailable),
)
@router.get(
    ONE,
    summary="Get file metadata",
    response_model=Envelope[FileMetadata],
    responses=error_responses(FileNotFound, Unavailable),
)
async def get_file(request: Request, db: Db, cache: Cache, actor: Actor, file_id: FileId) -> Response:
    """Metadata of one file; `download` has its bytes."""

    async def load() -> Entry:
        return service.row_of(await service.get_file(db, actor, file_id)).entry()

    key = cache_key(audience=service.audience_of(actor.principal).name, id=file_id)
    return await cached_response(request, cache, FILE, key, load)


async def _without_envelope(
    request: Request,
    cache: CacheService,
    actor: Actor,
    inputs: tuple[str | int, ...],
    find: Callable[[], Awaitable[list[FileMetadata]]],
) -> Response:
    """Cached response of a list without an envelope, as published."""

    async def load() -> Entry:
        return json_entry(Files(await find()))

    key = cache_key(audience=service.audience_of(actor.principal).name, inputs=inputs)
    return await cached_response(request, cache, LIST, key, load)
