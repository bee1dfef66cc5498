"""Imports by their ids, or page by page."""

from collections.abc import Sequence
from typing import Final

from core.database.client import Database
from core.http.answers.envelope import ListEnvelope, listed
from core.jobs import JobNotFound, Jobs, JobView
from features.imports.errors import ImportNotFound
from features.imports.listing.schemas import Import, TakenBack
from features.imports.queries import journal
from features.imports.schemas import SOURCES, UNDO_KIND
from features.jobs.api import list_page

IMPORTS: Final = tuple(SOURCES.values())


async def list_imports(
    db: Database, jobs: Jobs, *, limit: int, offset: int, cursor: str | None
) -> ListEnvelope[Import]:
    """Page of imports, newest first, dry runs and those that failed too."""
    page = await list_page(jobs, ("imports",), kind=IMPORTS, limit=limit, offset=offset, cursor=cursor)
    return listed(await _shown(db, jobs, page.jobs), total=page.total, next_cursor=page.next_cursor)


async def show_import(db: Database, jobs: Jobs, job_id: str) -> Import:
    """Raises ImportNotFound."""
    [shown] = await _shown(db, jobs, [await find_import(jobs, job_id)])
    return shown


async def find_import(jobs: Jobs, job_id: str) -> JobView:
    """Raises ImportNotFound."""
    try:
        job = await jobs.get(job_id)
    except JobNotFound:
        job = None
    if job is None or job.kind not in IMPORTS:
        raise ImportNotFound(f"Import with id {job_id} not found")
    return job


async def _shown(db: Database, jobs: Jobs, found: Sequence[JobView]) -> list[Import]:
    ids = [job.id for job in found]
    kept = await journal.existing(db, ids)
    undos = await _undos(jobs, ids)
    return [_import(job, undoable=job.ended and job.id in kept, undo=undos.get(job.id)) for job in found]


async def _undos(jobs: Jobs, ids: Sequence[str]) -> dict[str, JobView]:
    """Undos that have taken back one of these imports: they have their checkpoint since."""
    undos = await jobs.about(UNDO_KIND, "importJobId", ids)
    return {str(undo.arguments["importJobId"]): undo for undo in undos if undo.checkpoint is not None}


def _import(job: JobView, *, undoable: bool, undo: JobView | None) -> Import:
    result = job.result or {}
    return Import.model_validate(
        {
            "id": job.id,
            "source": job.kind.removeprefix("import."),
            "filename": job.arguments.get("filename"),
            "state": job.state,
            "dryRun": job.arguments.get("dryRun", False),
            "imported": result.get("imported"),
            "updated": result.get("updated"),
            "rejected": job.rejected,
            "undoable": undoable,
            "takenBack": undo and _taken_back(undo),
            "actor": job.actor,
            "createdAt": job.created_at,
            "finishedAt": job.finished_at,
            "error": job.error,
        }
    )


def _taken_back(undo: JobView) -> TakenBack:
    return TakenBack(job_id=undo.id, at=undo.finished_at or undo.created_at, actor=undo.actor)
