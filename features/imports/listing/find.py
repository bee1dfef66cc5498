"""Imports by their ids, or page by page."""

from collections.abc import Sequence
from contextlib import suppress
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


async def find_import(
    jobs: Jobs, job_id: str, kinds: Sequence[str] = IMPORTS, what: str = "Import"
) -> JobView:
    """Raises ImportNotFound."""
    with suppress(JobNotFound):
        job = await jobs.get(job_id)
        if job.kind in kinds:
            return job
    raise ImportNotFound(f"{what} with id {job_id} not found")


async def _shown(db: Database, jobs: Jobs, found: Sequence[JobView]) -> list[Import]:
    ids = [job.id for job in found]
    kept = await journal.existing(db, ids)
    taken_back = {
        undo.arguments["importJobId"]: TakenBack(
            job_id=undo.id, at=undo.finished_at or undo.created_at, actor=undo.actor
        )
        for undo in await jobs.about(UNDO_KIND, "importJobId", ids)
        if undo.checkpoint is not None  # it has one since it has taken the import back
    }
    return [
        Import.model_validate(
            {
                "dryRun": False,
                **(job.result or {}),
                **job.arguments,
                **dict(job),
                "undoable": job.ended and job.id in kept,
                "taken_back": taken_back.get(job.id),
            }
        )
        for job in found
    ]
