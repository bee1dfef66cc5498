"""Routes of upload and download. Both stream: no request holds a whole file in memory."""

from typing import Any, Final
from urllib.parse import quote

from fastapi import BackgroundTasks, Request, Response, status
from fastapi.responses import StreamingResponse

from core.deps import Actor, AppSettings, Db
from core.errors import Unavailable
from core.http.answers.downloads import (
    RESPONSES,
    STREAM,
    Representation,
    content_response,
    requested_span,
)
from core.http.answers.envelope import Done, error_responses
from core.http.request.body import allow_body
from core.http.request.multipart import FORM_OVERHEAD_BYTES
from features.files import service
from features.files.changes.upload import Outcome, upload
from features.files.errors import FileNotFound
from features.files.router.requests import ONE, PREFIX, REFUSED_BODY, Change, FileId, router
from features.files.schemas import (
    DESCRIPTION_LENGTH,
    MAX_FILES,
    FileMetadata,
    Files,
    MultiStatus,
    UploadFailure,
)
from features.files.settings import FileSettings


def _form(name: str, schema: dict[str, Any], example: object) -> dict[str, Any]:
    """Request body for OpenAPI; the routes read the stream themselves."""
    properties = {
        name: schema,
        "idea_id": {"type": "string", "description": "The idea that it belongs to"},
        "system_id": {"type": "string", "description": "The system that it belongs to"},
        "description": {"type": "string", "maxLength": DESCRIPTION_LENGTH},
        "is_public": {"type": "boolean", "default": False},
    }
    content = {
        "schema": {"type": "object", "required": [name], "properties": properties},
        "example": {name: example, "description": "First draft", "is_public": True},
    }
    return {"requestBody": {"required": True, "content": {"multipart/form-data": content}}}


_BINARY: Final = {"type": "string", "format": "binary"}
_REFUSED: Final = error_responses(*REFUSED_BODY, Unavailable)


@router.post(
    PREFIX + "/upload",
    summary="Upload file",
    description="The content must be what the extension says.",
    status_code=status.HTTP_201_CREATED,
    responses=_REFUSED,
    openapi_extra=_form("file", _BINARY, "Some notes"),
)
async def upload_file(
    request: Request, response: Response, context: Change, background_tasks: BackgroundTasks
) -> Done[FileMetadata]:
    outcome = await _receive(request, context, background_tasks, "file", 1)
    [file] = outcome.files
    response.headers["Location"] = f"{PREFIX}/{quote(file.id)}"
    return Done[FileMetadata](message="File uploaded successfully", data=file)


@router.post(
    PREFIX + "/upload-multiple",
    summary="Upload multiple files",
    description="201 when all were stored, 207 when some were, 400 when none was.",
    status_code=status.HTTP_201_CREATED,
    response_model=list[FileMetadata],
    responses={**_REFUSED, 207: {"model": MultiStatus, "description": "Some were stored, some were not"}},
    openapi_extra=_form("files", {"type": "array", "items": _BINARY, "maxItems": MAX_FILES}, ["Some notes"]),
)
async def upload_files(request: Request, context: Change, background_tasks: BackgroundTasks) -> Response:
    outcome = await _receive(request, context, background_tasks, "files", MAX_FILES)
    if not outcome.refused:
        return _json(Files(outcome.files), status.HTTP_201_CREATED)
    errors = [
        UploadFailure(filename=each.original_name, error=each.error.message) for each in outcome.refused
    ]
    return _json(MultiStatus(data=outcome.files, errors=errors), status.HTTP_207_MULTI_STATUS)


@router.get(
    ONE + "/download",
    summary="Download file",
    description="With `Range` (one at a time), `If-Range`, `If-None-Match` and HEAD. "
    "What begins at the first byte counts as a download.",
    response_class=StreamingResponse,
    responses={
        **error_responses(FileNotFound, Unavailable),
        **RESPONSES,
        200: {"description": "The whole file, with its stored type", "content": STREAM},
    },
)
async def download_file(
    request: Request, db: Db, settings: AppSettings, actor: Actor, file_id: FileId
) -> Response:
    stored = await service.get_file(db, actor, file_id)
    file = stored.file
    wanted = Representation(file.checksum, file.created_at, file.size, file.mimetype, file.filename)
    span = requested_span(request, wanted)
    if isinstance(span, Response):
        return span
    content = await service.read_content(db, settings, stored, span.start, span.end)
    return content_response(wanted, span, content)


async def _receive(
    request: Request, context: Change, background_tasks: BackgroundTasks, field_name: str, most_files: int
) -> Outcome:
    largest = int(context.settings.of(FileSettings).files_max_bytes)
    allow_body(request, most_files * largest + FORM_OVERHEAD_BYTES)
    content_type = request.headers.get("content-type", "")
    outcome = await upload(
        context, content_type, request.stream(), field_name=field_name, most_files=most_files
    )
    for job_id in outcome.job_ids:
        background_tasks.add_task(context.jobs.run_after_answer, job_id)
    return outcome


def _json(answer: Files | MultiStatus, status_code: int) -> Response:
    return Response(answer.model_dump_json(by_alias=True), status_code, media_type="application/json")
