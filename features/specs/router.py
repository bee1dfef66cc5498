"""Routes `/spec/*.yaml`, `/openapi.json`, `/docs`, `/api/v1/docs/status` and `/api/v1/docs/download`."""

from hashlib import blake2b
from typing import Annotated, Any, Final

import orjson
from fastapi import Depends, Request, Response
from fastapi.responses import HTMLResponse
from starlette.concurrency import run_in_threadpool

from core.cache import Entry
from core.deps import Cache, platform_of
from core.errors import NotFound
from core.http.answers.conditional import cached_response, fixed_response, json_entry
from core.http.request.context import context_of
from core.http.routing import Router
from features.specs import service
from features.specs.cache import STATUS
from features.specs.documents import page
from features.specs.schemas import SpecStatusResponse
from features.specs.service import Files

YAML: Final = "application/yaml"
ZIP: Final = "application/zip"

router = Router(tags=["Specs"])


async def files(request: Request) -> Files:
    """Files of the documents, made by the first request that wants them and kept by the app."""
    state = request.app.state
    if not hasattr(state, "spec_files"):
        state.spec_files = await service.files_of(platform_of(request).openapi)
    made: Files = state.spec_files
    return made


SpecFiles = Annotated[Files, Depends(files)]


def _binary(media_type: str, description: str) -> dict[int | str, dict[str, Any]]:
    content = {media_type: {"schema": {"type": "string", "format": "binary"}}}
    return {200: {"description": description, "content": content}}


@router.get(
    "/spec/openapi.yaml",
    summary="Download OpenAPI specification",
    description="The running app's own.",
    response_class=Response,
    responses=_binary(YAML, "OpenAPI file"),
)
async def openapi_file(request: Request, files: SpecFiles) -> Response:
    return fixed_response(request, files.openapi, YAML)


@router.get(
    "/spec/asyncapi.yaml",
    summary="Download AsyncAPI specification",
    description="The events of background jobs.",
    response_class=Response,
    responses=_binary(YAML, "AsyncAPI file"),
)
async def asyncapi_file(request: Request, files: SpecFiles) -> Response:
    return fixed_response(request, files.asyncapi, YAML)


@router.get(
    "/api/v1/docs/status",
    summary="Specification validation status",
    description="Both documents held against the rules of their formats.",
    response_model=SpecStatusResponse,
)
async def spec_status(request: Request, cache: Cache, files: SpecFiles) -> Response:
    async def load() -> Entry:
        return json_entry(await service.status_of(platform_of(request).openapi))

    key = blake2b(files.openapi + files.asyncapi).hexdigest()
    return await cached_response(request, cache, STATUS, key, load)


@router.get(
    "/api/v1/docs/download",
    summary="Download all specs",
    description="A ZIP of the two files. The same documents give the same bytes.",
    response_class=Response,
    responses=_binary(ZIP, "ZIP archive"),
)
async def download_specs(request: Request, files: SpecFiles) -> Response:
    disposition = {"Content-Disposition": 'attachment; filename="handover-specs.zip"'}
    return fixed_response(request, files.archive, ZIP, disposition)


@router.get("/openapi.json", include_in_schema=False)
async def openapi_document(request: Request) -> Response:
    """OpenAPI document, built and serialised once per app."""
    state = request.app.state
    if not hasattr(state, "openapi_bytes"):
        state.openapi_bytes = orjson.dumps(request.app.openapi())
    return fixed_response(request, state.openapi_bytes, "application/json")


@router.get("/docs", include_in_schema=False)
async def docs_page(request: Request) -> HTMLResponse:
    context_of(request.scope).security = page.HEADERS
    return HTMLResponse(page.PAGE)


@router.get("/docs/{name}", include_in_schema=False)
async def docs_asset(request: Request, name: str) -> Response:
    if name == "start.js":
        return fixed_response(request, page.START, "text/javascript")
    if name not in page.FILES:
        raise NotFound("Route not found")
    return fixed_response(request, await run_in_threadpool(page.read, name), page.FILES[name])
