"""Routes `/api/v1/search` and `/api/v1/suggest`."""

from typing import Annotated

from fastapi import BackgroundTasks, Path, Query, Request, Response

from core.cache import Entry, cache_key
from core.deps import Actor, Cache, Db, Holder, Jobs
from core.http.answers.conditional import cached_response, json_entry
from core.http.answers.envelope import Envelope, ListEnvelope, error_responses
from core.http.request.fields import Text
from core.http.routing import STRICT, Router
from core.jobs import JobConflict
from features.files.api import audience_of
from features.jobs.api import Job, show
from features.search import service
from features.search.cache import DOCUMENT, RESULTS, ROWS, SUGGESTIONS
from features.search.errors import DocumentNotFound
from features.search.schemas import (
    REINDEX_KIND,
    IndexedDocument,
    SearchQuery,
    SearchResult,
    SuggestQuery,
    SuggestResponse,
    row_kind,
)

DocumentId = Annotated[Text, Path(max_length=4096, description="The `id` of a result")]

router = Router(prefix="/api/v1", tags=["Search"])


@router.get(
    "/search",
    summary="Search documentation",
    description="Operations of the API, markdown documents and uploaded text files, best first; ideas and "
    "items with `type` idea or item. Of items any word may be unfinished, and endings matter.",
    response_model=ListEnvelope[SearchResult],
)
async def search(
    request: Request, db: Db, cache: Cache, holder: Holder, query: Annotated[SearchQuery, Query()]
) -> Response:
    audience = audience_of(holder)

    async def load() -> Entry:
        return json_entry(await service.search(db, query, audience))

    key = cache_key(audience=audience.name, **query.model_dump())
    return await cached_response(request, cache, ROWS.get(query.rows, RESULTS), key, load)


@router.get("/suggest", summary="Autocomplete suggestions", response_model=SuggestResponse)
async def suggest(
    request: Request, db: Db, cache: Cache, holder: Holder, query: Annotated[SuggestQuery, Query()]
) -> Response:
    """Titles and words that begin with what was typed, the most frequent first."""
    audience = audience_of(holder)

    async def load() -> Entry:
        return json_entry(await service.suggest(db, query, audience))

    key = cache_key(audience=audience.name, **query.model_dump())
    return await cached_response(request, cache, SUGGESTIONS, key, load)


@router.get(
    "/search/documents/{document_id:path}",
    summary="Get an indexed document",
    response_model=Envelope[IndexedDocument],
    responses=error_responses(DocumentNotFound),
)
async def get_document(
    request: Request, db: Db, cache: Cache, holder: Holder, document_id: DocumentId
) -> Response:
    """The text that a result was found in."""
    audience = audience_of(holder)

    async def load() -> Entry:
        document = await service.get_document(db, document_id, audience)
        return json_entry(Envelope[IndexedDocument](data=document))

    key = cache_key(audience=audience.name, id=document_id)
    policy = ROWS.get(row_kind(document_id.partition(":")[0]), DOCUMENT)
    return await cached_response(request, cache, policy, key, load)


@router.post(
    "/search/reindex",
    summary="Bring the index up to date",
    description="Only what has changed is indexed again. One such job runs at a time.",
    status_code=202,
    dependencies=STRICT,
    responses=error_responses(JobConflict),
)
async def reindex(
    response: Response, background_tasks: BackgroundTasks, db: Db, jobs: Jobs, actor: Actor
) -> Envelope[Job]:
    job = await jobs.enqueue(db, REINDEX_KIND, {}, actor)
    background_tasks.add_task(jobs.run_after_answer, job.id)
    response.headers["Location"] = f"/api/v1/jobs/{job.id}"
    return Envelope(message="Reindexing accepted", data=show(job, jobs.public_arguments(job)))
