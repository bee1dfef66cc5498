"""Routes under `/api/v1/exports`: begin an export, download its file."""

from typing import Annotated, Final

from fastapi import BackgroundTasks, Path, Query, Request, Response
from fastapi.responses import StreamingResponse

from core.deps import Actor, AppSettings, Db, Jobs
from core.errors import Conflict
from core.http.answers.downloads import RESPONSES, file_response
from core.http.answers.envelope import Envelope, error_responses
from core.http.request.fields import Text
from core.http.routing import STRICT, Router
from features.exports import service
from features.exports.errors import ExportNotFound
from features.exports.schemas import LowDbFile, Wanted
from features.jobs.api import Job, show

_BINARY: Final = {"schema": {"type": "string", "format": "binary"}}
_TEXT: Final = {"schema": {"type": "string"}}
_MEDIA_TYPES: Final = {
    ".json": "application/json",
    ".zip": "application/zip",
    ".csv": "text/csv; charset=utf-8",
}

router = Router(prefix="/api/v1/exports", tags=["Exports"])


@router.post("", status_code=202, dependencies=STRICT, summary="Export the data in its old form")
async def create_export(
    response: Response,
    background_tasks: BackgroundTasks,
    db: Db,
    jobs: Jobs,
    settings: AppSettings,
    actor: Actor,
    wanted: Annotated[Wanted, Query()],
) -> Envelope[Job]:
    """The file is written in the background; follow the job that `Location` names, then download. It is kept
    until the next export begins.
    """
    job = await service.accept(db, jobs, settings, actor, wanted, None)
    background_tasks.add_task(jobs.run_after_answer, job.id)
    response.headers["Location"] = f"/api/v1/jobs/{job.id}"
    return Envelope(message="Export accepted", data=show(job, jobs.public_arguments(job)))


@router.get(
    "/{job_id}/download",
    summary="Download an export",
    response_class=StreamingResponse,
    responses={
        **error_responses(ExportNotFound, Conflict),
        **RESPONSES,
        200: {
            "description": "The LowDB file, the ZIP file of the registry, or a list as CSV",
            "model": LowDbFile,
            "content": {"application/zip": _BINARY, "text/csv": _TEXT},
        },
    },
)
async def download_export(
    request: Request,
    job_id: Annotated[Text, Path(description="The id of the export's job")],
    jobs: Jobs,
    settings: AppSettings,
) -> Response:
    """The old service can read it; 409 until the job has succeeded."""
    path = await service.finished_file(jobs, settings, job_id)
    return await file_response(request, path, _MEDIA_TYPES[path.suffix])
