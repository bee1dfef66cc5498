"""Acceptance of an undo."""

from core.database.client import Author, Database
from core.jobs import JobNotFound, Jobs, JobView
from features.imports.errors import ImportNotFound, ImportNotUndoable
from features.imports.queries import journal
from features.imports.schemas import UNDO_KIND
from features.imports.undo.schemas import UndoArguments, UndoChoices

_IMPORTS = "import."


async def accept_undo(db: Database, jobs: Jobs, actor: Author, job_id: str, choices: UndoChoices) -> JobView:
    """Enqueue it. Raises ImportNotFound, ImportNotUndoable, or JobConflict beside an import."""
    try:
        job = await jobs.get(job_id)
    except JobNotFound:
        raise ImportNotFound(f"Import with id {job_id} not found") from None
    if not job.kind.startswith(_IMPORTS) or job.kind == UNDO_KIND:
        raise ImportNotFound(f"Import with id {job_id} not found")
    if not job.ended:
        raise ImportNotUndoable(f"Import {job_id} has not ended yet; cancel it first")
    if not await journal.exists(db, job.id):
        raise ImportNotUndoable(f"Import {job_id} brought nothing, or is taken back already")
    arguments = UndoArguments(import_job_id=job.id, **choices.model_dump())
    return await jobs.enqueue(
        db, UNDO_KIND, arguments.model_dump(by_alias=True, exclude_defaults=True), actor
    )
