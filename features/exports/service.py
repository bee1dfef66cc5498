"""Service of exports: enqueues them, and finds their files."""

import asyncio
import shutil
import uuid
from pathlib import Path

from core.database.client import Author, Database
from core.errors import Conflict
from core.jobs import JobNotFound, Jobs, JobView
from core.settings import Settings
from features.exports.errors import ExportNotFound
from features.exports.schemas import KINDS, Arguments, Form, Wanted
from features.exports.targets.file import FileTarget
from features.exports.targets.folder import FolderTarget


async def accept(
    db: Database, jobs: Jobs, settings: Settings, actor: Author, wanted: Wanted, path: Path | None
) -> JobView:
    """Enqueue an export to a file or folder of the caller's, or to a file of ours, which is kept until the
    next export begins. Raises TargetUnusable.
    """
    if path is None:
        arguments = Arguments(filename=wanted.filename, list=wanted.list)
        await _sweep(jobs, settings)
    else:
        absolute = await asyncio.to_thread(_writable, path, wanted.form)
        arguments = Arguments(filename=absolute.name, path=str(absolute), list=wanted.list)
    return await jobs.enqueue(
        db, KINDS[wanted.form], arguments.model_dump(by_alias=True, exclude_none=True), actor
    )


async def finished_file(jobs: Jobs, settings: Settings, job_id: str) -> Path:
    """Path of an export's file. Raises ExportNotFound, or Conflict until it is complete."""
    try:
        job = await jobs.get(job_id)
    except JobNotFound:
        raise ExportNotFound(f"Export with id {job_id} not found") from None
    if job.kind not in KINDS.values() or "path" in job.arguments:
        raise ExportNotFound(f"Export with id {job_id} not found")
    if job.state != "succeeded":
        raise Conflict(f"Export {job_id} has no file: it is {job.state}", code="exports.not_ready")
    path = file_of(settings, job)
    if not await asyncio.to_thread(path.is_file):
        raise ExportNotFound(f"The file of export {job_id} is not kept here any more")
    return path


def file_of(settings: Settings, job: JobView, *, make: bool = False) -> Path:
    """Path of an export's file or folder. Blocks when that of ours is to be made."""
    if "path" in job.arguments:
        return Path(str(job.arguments["path"]))
    folder = _root(settings) / str(uuid.UUID(job.id))
    if make:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder / str(job.arguments["filename"])


def _writable(path: Path, form: Form) -> Path:
    """The absolute path, where an export could begin. Raises TargetUnusable, ExportNotStored."""
    target = FolderTarget if form == "registry" else FileTarget
    target(path.absolute(), str(uuid.uuid4()), name=str(path)).close()
    return path.absolute()


async def _sweep(jobs: Jobs, settings: Settings) -> None:
    """Remove the files of exports that have ended. The folders are read before the live jobs are."""
    folders = await asyncio.to_thread(lambda: list(_root(settings).glob("*")))
    live = {
        job.id
        for kind in KINDS.values()
        for state in ("queued", "running")
        for job in (await jobs.list(kind=kind, state=state)).jobs
    }
    for folder in folders:
        if folder.name not in live:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


def _root(settings: Settings) -> Path:
    return settings.data_dir.absolute() / "exports"
