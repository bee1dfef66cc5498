"""Routes of updates, deletion, and the repair of the store."""

from fastapi import BackgroundTasks, Response, status

from core.deps import Actor, Db, IfMatch, Jobs
from core.errors import PreconditionFailed, Unavailable
from core.http.answers.envelope import Done, Envelope, done, error_responses
from core.http.routing import STRICT
from core.jobs import JobConflict
from features.files import service
from features.files.errors import FileNotFound
from features.files.jobs import KIND
from features.files.router.requests import ONE, PREFIX, REFUSED_BODY, Change, FileId, router
from features.files.schemas import FileMetadata, UpdateFile
from features.jobs.api import Job, show


@router.put(
    ONE,
    summary="Update file metadata",
    description="Changes the fields that are sent; null takes a value away. Sets `updatedAt`.",
    response_model=Done[FileMetadata],
    responses=error_responses(*REFUSED_BODY, FileNotFound, PreconditionFailed, Unavailable),
)
async def update_file(
    context: Change,
    background_tasks: BackgroundTasks,
    file_id: FileId,
    if_match: IfMatch,
    values: UpdateFile,
) -> Response:
    updated, job_ids = await service.update_file(context, file_id, values, if_match)
    for job_id in job_ids:
        background_tasks.add_task(context.jobs.run_after_answer, job_id)
    return done("File updated successfully", service.row_of(updated))


@router.delete(
    ONE,
    summary="Delete file",
    response_model=Done[FileMetadata],
    responses=error_responses(FileNotFound, PreconditionFailed, Unavailable),
)
async def delete_file(
    context: Change, background_tasks: BackgroundTasks, file_id: FileId, if_match: IfMatch
) -> Response:
    """The answer holds the file as it was."""
    deleted, job_ids = await service.delete_file(context, file_id, if_match)
    for job_id in job_ids:
        background_tasks.add_task(context.jobs.run_after_answer, job_id)
    return done("File deleted successfully", service.row_of(deleted))


@router.post(
    PREFIX + "/reconcile",
    status_code=status.HTTP_202_ACCEPTED,
    dependencies=STRICT,
    summary="Compare files with their store",
    description="Removes objects that no file has, and tells which files have lost their object.",
    responses=error_responses(JobConflict, Unavailable),
)
async def reconcile_files(
    db: Db, jobs: Jobs, actor: Actor, background_tasks: BackgroundTasks, response: Response
) -> Envelope[Job]:
    """Safe at any time, also beside uploads; follow the job that `Location` names."""
    job = await jobs.enqueue(db, KIND, {}, actor)
    background_tasks.add_task(jobs.run_after_answer, job.id)
    response.headers["Location"] = f"/api/v1/jobs/{job.id}"
    return Envelope[Job](message="Reconciliation accepted", data=show(job, jobs.public_arguments(job)))
