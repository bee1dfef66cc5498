"""Routes under `/api/v1/imports`: import a file, compare one with what stands here, list, download, undo."""

from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import BackgroundTasks, Depends, Path, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from core.deps import Actor, AppSettings, Db, Jobs
from core.errors import Conflict, Invalid, Unavailable
from core.http.answers.downloads import RESPONSES, file_response
from core.http.answers.envelope import Envelope, ListEnvelope, error_responses
from core.http.answers.pagination import Cursor, Limit, Offset
from core.http.request.body import allow_body
from core.http.request.fields import Text
from core.http.request.multipart import FORM_OVERHEAD_BYTES, NotAForm
from core.http.routing import STRICT, Router
from core.jobs import JobConflict, JobView
from features.imports import service
from features.imports.comparison.schemas import DifferenceLines, VerifyForm
from features.imports.errors import ImportNotFound, ImportNotUndoable, UploadInvalid, UploadTooLarge
from features.imports.schemas import NDJSON, FileOptions, Import, RejectForm, RejectLines
from features.imports.settings import ImportSettings
from features.imports.undo.schemas import UndoChoices
from features.jobs.api import Job, show

_FILE: Final = {
    "type": "string",
    "format": "binary",
    "description": "A LowDB file, a CSV file, or of an old registry a ZIP file: `documentation_systems.csv`, "
    "`documentation_ideas.csv`, `documentation_files.csv`, `documentation_audit_log.csv`, as far as they are "
    "there, and one folder with the bytes of its files, without which files are rejected",
}
_REFUSED: Final = error_responses(JobConflict, UploadInvalid, UploadTooLarge, NotAForm, Unavailable)
JobId = Annotated[Text, Path(description="The id of the import's job")]
ComparisonId = Annotated[Text, Path(description="The id of the comparison's job")]


def _form(model: type[BaseModel], **example: str) -> dict[str, Any]:
    """A form with the model's fields and a file, for the document."""
    options = model.model_json_schema()
    schema = {
        "type": "object",
        "required": ["file", *options["required"]],
        "properties": {"file": _FILE, **options["properties"]},
    }
    example = {"file": '{"items": []}', "source": "lowdb", **example}
    content = {"multipart/form-data": {"schema": schema, "example": example}}
    return {"requestBody": {"required": True, "content": content}}


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


@dataclass(frozen=True, slots=True)
class Acceptance:
    """Request that becomes a job, and its answer."""

    request: Request
    response: Response
    background_tasks: BackgroundTasks
    db: Db
    jobs: Jobs
    settings: AppSettings
    actor: Actor

    async def of_upload(self, what: str, form: type[FileOptions | VerifyForm]) -> Envelope[Job]:
        limit = int(self.settings.of(ImportSettings).import_max_bytes)
        allow_body(self.request, limit + FORM_OVERHEAD_BYTES)
        headers, body = self.request.headers, self.request.stream()
        return self.of(
            what,
            await service.accept_upload(self.db, self.jobs, self.settings, self.actor, headers, body, form),
        )

    def of(self, what: str, job: JobView) -> Envelope[Job]:
        self.background_tasks.add_task(self.jobs.run_after_answer, job.id)
        self.response.headers["Location"] = f"/api/v1/jobs/{job.id}"
        return Envelope(message=f"{what} accepted", data=show(job, self.jobs.public_arguments(job)))


Accepted = Annotated[Acceptance, Depends(Acceptance)]


@router.post(
    "",
    status_code=202,
    dependencies=STRICT,
    summary="Import a file",
    responses=_REFUSED,
    openapi_extra=_form(FileOptions, on_conflict="skip"),
)
async def create_import(accepted: Accepted) -> Envelope[Job]:
    """The file streams to disk and is imported in the background; follow the job that `Location` names."""
    return await accepted.of_upload("Import", FileOptions)


@router.post(
    "/verify",
    status_code=202,
    dependencies=STRICT,
    summary="Compare a file with what stands here",
    responses=_REFUSED,
    openapi_extra=_form(VerifyForm),
)
async def verify(accepted: Accepted) -> Envelope[Job]:
    """Writes nothing. The `result` of the job counts the differences by kind and names the first; all of them
    can be downloaded, until the next import or comparison begins.
    """
    return await accepted.of_upload("Comparison", VerifyForm)


@router.get("/{job_id}", summary="Show an import", responses=error_responses(ImportNotFound))
async def show_import(job_id: JobId, db: Db, jobs: Jobs) -> Envelope[Import]:
    """Import as the list shows it. `takenBack` says when and by whom, and names the job of the undo."""
    return Envelope(data=await service.show_import(db, jobs, job_id))


@router.get(
    "/{job_id}/differences",
    summary="Download what a comparison found",
    response_class=LinesResponse,
    responses={
        **error_responses(ImportNotFound, Conflict),
        **RESPONSES,
        200: {"description": "One JSON object for each difference", "model": DifferenceLines},
    },
)
async def download_differences(
    request: Request, job_id: ComparisonId, jobs: Jobs, settings: AppSettings
) -> Response:
    """NDJSON: `kind`, `id`, and by column in `fields` the values in the `source` and `here`."""
    path = await service.differences_of(jobs, settings, job_id)
    return await file_response(request, path, NDJSON)


@router.get(
    "/{job_id}/rejects",
    summary="Download what could not be imported",
    response_class=LinesResponse,
    responses={
        **error_responses(ImportNotFound, Conflict),
        200: {
            "description": "One JSON object for each reject, or CSV",
            "model": RejectLines,
            "content": {"text/csv": {"schema": {"type": "string"}}},
        },
    },
)
async def download_rejects(
    job_id: JobId,
    db: Db,
    jobs: Jobs,
    form: Annotated[RejectForm, Query(description="The form of the file")] = "ndjson",
) -> LinesResponse:
    """NDJSON: `position`, `path`, `reason`, `errors` by field, and the `record` as the source has it. CSV:
    `path`, `reason`, and the record's own columns, to be mended in a spreadsheet and imported again. Of a
    dry run none are kept: its `result` names the first 20.
    """
    lines = await service.rejects_of(db, jobs, job_id, form)
    headers = {"Content-Disposition": f'attachment; filename="rejects.{form}"'}
    return LinesResponse(lines, headers=headers, media_type=NDJSON if form == "ndjson" else "text/csv")


@router.post(
    "/{job_id}/undo",
    status_code=202,
    dependencies=STRICT,
    summary="Take an import back",
    responses=error_responses(ImportNotFound, ImportNotUndoable, JobConflict),
)
async def undo_import(
    job_id: JobId, choices: Annotated[UndoChoices, Query()], accepted: Accepted
) -> Envelope[Job]:
    """Delete what it inserted and restore what it overwrote, all of it or nothing: when a row has changed
    since, the job fails and its `result` names the conflicts. With `keepChanged` such rows stay, and those
    that they need, and its `result` names them.
    """
    return accepted.of(
        "Undo", await service.accept_undo(accepted.db, accepted.jobs, accepted.actor, job_id, choices)
    )
