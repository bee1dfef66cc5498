"""The job `import.undo`: one transaction, so that others see all of it or nothing.

While it runs, the rows of the import are locked, and whoever wants to change one of them waits or is told to
come back. Interrupted, it begins anew.
"""

from datetime import timedelta
from typing import Final

import structlog

from core.database.client import Database
from core.database.transaction import unit_of_work
from core.jobs import JobContext, JobFailed, JobKind, JsonObject
from features.audit import api as audit
from features.imports.queries import memory
from features.imports.schemas import KIND, UNDO_KIND, Obstacles, UndoArguments, Undone
from features.imports.undo.tables import TABLES

TIMEOUT: Final = timedelta(hours=2)
_AUDITED: Final = "import"

log = structlog.get_logger(__name__)


async def run(context: JobContext) -> JsonObject:
    """Raises JobFailed, with what stands against it, when anything has changed since the import."""
    if context.job.checkpoint is not None:
        return context.job.checkpoint
    job_id = UndoArguments.model_validate(context.job.arguments).import_job_id

    async def work(tx: Database) -> Undone:
        obstacles = await _hold(context, tx, job_id)
        if obstacles.count:
            raise JobFailed(obstacles.sentence, result=obstacles.model_dump(by_alias=True, mode="json"))
        undone = await _take_back(context, tx, job_id)
        await memory.forget(tx, job_id)
        await audit.record(tx, _entry(context, undone))
        await context.checkpoint(tx, undone.model_dump(by_alias=True), done=undone.deleted + undone.restored)
        return undone

    async with context.cache.invalidating(*(tag for table in TABLES for tag in table.tags)):
        undone = await unit_of_work(context.db, work, timeout=TIMEOUT)
    log.info("import.undone", import_job_id=job_id, deleted=undone.deleted, restored=undone.restored)
    return undone.model_dump(by_alias=True)


async def _hold(context: JobContext, tx: Database, job_id: str) -> Obstacles:
    """Lock every row of the import, and find those that are not as it left them."""
    obstacles, done = Obstacles(import_job_id=job_id), 0
    await context.progress(phase="check", done=0)
    for table in TABLES:
        async for page in memory.pages(tx, job_id, table.entity):
            ids = page.written_ids
            found = await table.rows.obstacles(tx, job_id, ids) if ids else []
            obstacles = obstacles.with_more(table.entity, len(ids), found)
            done += len(ids)
            await context.progress(done=done)
            await context.raise_if_stopping()
    return obstacles


async def _take_back(context: JobContext, tx: Database, job_id: str) -> Undone:
    undone, done = Undone(import_job_id=job_id), 0
    await context.progress(phase="undo", done=0)
    for table in reversed(TABLES):
        async for page in memory.pages(tx, job_id, table.entity):
            ids = page.written_ids
            if ids:
                images = await memory.images_of(tx, job_id, table.entity, ids)
                taken = await table.rows.take_back(tx, ids, images)
                undone.deleted += taken.deleted
                undone.restored += taken.restored
            done += len(ids)
            await context.progress(done=done)
            await context.raise_if_stopping()
    return undone


def _entry(context: JobContext, undone: Undone) -> audit.AuditEntry:
    return audit.AuditEntry(
        entity=_AUDITED,
        entity_id=undone.import_job_id,
        action="deleted",
        actor=context.job.actor,
        request_id=context.job.request_id,
        changes={"job": context.job.id, "deleted": undone.deleted, "restored": undone.restored},
    )


UNDO: Final = JobKind(UNDO_KIND, run, exclusive=KIND, public_arguments=("importJobId",))
"""Never beside an import of a LowDB file."""
