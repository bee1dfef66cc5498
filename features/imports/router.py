"""Routes under `/api/v1/imports`: upload a legacy file, list imports, download rejects, undo."""

from typing import Annotated, Final

from fastapi import BackgroundTasks, Path, Query, Request, Response
from fastapi.responses import StreamingResponse

from core.deps import Actor, AppSettings, Db, Jobs
from core.errors import Invalid, Unavailable
from core.http.answers.envelope import Envelope, ListEnvelope, error_responses
from core.http.answers.pagination import Cursor, Limit, Offset
from core.http.request.body import allow_body
from core.http.request.multipart import FORM_OVERHEAD_BYTES, NotAForm
from core.http.request.text import Text
from core.http.routing import Router
from core.jobs import JobConflict
from features.imports import service
from features.imports.errors import ImportNotFound, ImportNotUndoable, UploadInvalid, UploadTooLarge
from features.imports.schemas import NDJSON, FileForm, Import, RejectLines
from features.imports.settings import ImportSettings
from features.imports.undo.schemas import UndoChoices
from features.jobs.api import Job, show

_OPTIONS: Final = FileForm.model_json_schema()
_FILE: Final = {"type": "string", "format": "binary", "description": "A LowDB or CSV file"}
_FORM: Final = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["file", *_OPTIONS["required"]],
                "properties": {"file": _FILE, **_OPTIONS["properties"]},
            },
            "example": {"file": '{"items": []}', "source": "lowdb", "on_conflict": "skip"},
        }
    },
}

router = Router(prefix="/api/v1/imports", tags=["Imports"])


class LinesResponse(StreamingResponse):
    media_type = NDJSON


@router.get("", summary="List imports, newest first", responses=error_responses(Invalid))
async def list_imports(
    db: Db,
    jobs: Jobs,
    limit: Annotated[Limit, Query()] = 50,
    offset: Annotated[Offset, Query()] = 0,
    cursor: Annotated[Cursor | None, Query()] = None,
) -> ListEnvelope[Import]:
    """Imports of all sources, also dry runs and failed ones; `undoable` ones have something to take back."""
    return await service.list_imports(db, jobs, limit=limit, offset=offset, cursor=cursor)


@router.post(
    "",
    status_code=202,
    summary="Import a file",
    responses=error_responses(JobConflict, UploadInvalid, UploadTooLarge, NotAForm, Unavailable),
    openapi_extra={"requestBody": _FORM},
)
async def create_import(
    request: Request,
    response: Response,
    background_tasks: BackgroundTasks,
    db: Db,
    jobs: Jobs,
    settings: AppSettings,
    actor: Actor,
) -> Envelope[Job]:
    """The file streams to disk and is imported in the background; follow the job that `Location` names."""
    allow_body(request, int(settings.of(ImportSettings).import_max_bytes) + FORM_OVERHEAD_BYTES)
    job = await service.accept_upload(db, jobs, settings, actor, request.headers, request.stream())
    background_tasks.add_task(jobs.run_after_answer, job.id)
    response.headers["Location"] = f"/api/v1/jobs/{job.id}"
    return Envelope(message="Import accepted", data=show(job, jobs.public_arguments(job)))


@router.get(
    "/{job_id}/rejects",
    summary="Download what could not be imported",
    response_class=LinesResponse,
    responses={
        **error_responses(ImportNotFound),
        200: {"description": "One JSON object for each reject", "model": RejectLines},
    },
)
async def download_rejects(
    job_id: Annotated[Text, Path(description="The id of the import's job")], db: Db, jobs: Jobs
) -> LinesResponse:
    """NDJSON: `position`, `path`, `reason`, `errors` by field, and the `record` as the source has it."""
    lines = await service.rejects_of(db, jobs, job_id)
    disposition = 'attachment; filename="rejects.ndjson"'
    return LinesResponse(lines, headers={"Content-Disposition": disposition})


@router.post(
    "/{job_id}/undo",
    status_code=202,
    summary="Take an import back",
    responses=error_responses(ImportNotFound, ImportNotUndoable, JobConflict),
)
async def undo_import(
    job_id: Annotated[Text, Path(description="The id of the import's job")],
    choices: Annotated[UndoChoices, Query()],
    response: Response,
    background_tasks: BackgroundTasks,
    db: Db,
    jobs: Jobs,
    actor: Actor,
) -> Envelope[Job]:
    """Delete what it inserted and restore what it overwrote, all of it or nothing: when a row has changed
    since, the job fails and its `result` names the conflicts. With `keepChanged` such rows stay, and those
    that they need, and its `result` names them.
    """
    job = await service.accept_undo(db, jobs, actor, job_id, choices)
    background_tasks.add_task(jobs.run_after_answer, job.id)
    response.headers["Location"] = f"/api/v1/jobs/{job.id}"
    return Envelope(message="Undo accepted", data=show(job, jobs.public_arguments(job)))
