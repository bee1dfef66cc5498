"""The job `import.undo`: one transaction, so that others see all of it or nothing.

While it runs, the rows of the import are locked, and whoever wants to change one of them, or add something
to it, waits or is told to come back. Interrupted, it begins anew. What has to follow outside of the tables is
done after the commit, by what the import's pages say; these go last, so that an interruption loses nothing.
"""

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Final

import structlog

from core.database.client import Database
from core.database.transaction import unit_of_work
from core.jobs import JobContext, JobFailed, JobKind, JsonObject
from features.audit import api as audit
from features.imports.queries import memory
from features.imports.schemas import EXCLUSIVE, UNDO_KIND, Obstacles, UndoArguments, Undone
from features.imports.undo.tables import TABLES, Table

TIMEOUT: Final = timedelta(hours=2)
_AUDITED: Final = "import"

log = structlog.get_logger(__name__)


async def run(context: JobContext) -> JsonObject:
    """Raises JobFailed, with what stands against it, when anything has changed since the import."""
    job_id = UndoArguments.model_validate(context.job.arguments).import_job_id
    known = context.job.checkpoint
    undone = await _undo(context, job_id) if known is None else Undone.model_validate(known)
    await context.progress(phase="settle", done=undone.deleted + undone.restored)
    await _settle(context, job_id)
    return undone.model_dump(by_alias=True)


async def _undo(context: JobContext, job_id: str) -> Undone:
    async def work(tx: Database) -> Undone:
        _raise_if_any(await _hold(context, tx, job_id))
        undone = await _take_back(context, tx, job_id)
        await memory.forget_run(tx, job_id)
        await audit.record(tx, _entry(context, undone))
        await context.checkpoint(tx, undone.model_dump(by_alias=True), done=undone.deleted + undone.restored)
        return undone

    async with context.cache.invalidating(*(tag for table in TABLES for tag in table.tags)):
        undone = await unit_of_work(context.db, work, timeout=TIMEOUT)
    log.info("import.undone", import_job_id=job_id, deleted=undone.deleted, restored=undone.restored)
    return undone


async def _hold(context: JobContext, tx: Database, job_id: str) -> Obstacles:
    """Lock every row of the import, and find what stands against taking it back."""
    obstacles, done = Obstacles(import_job_id=job_id), 0
    await context.progress(phase="check", done=0)
    for table in TABLES:
        async for ids in _written(tx, job_id, table):
            changed = await table.rows.obstacles(tx, job_id, ids)
            as_left = sorted(set(ids).difference(each.id for each in changed))
            images = await memory.images_of(tx, job_id, table.entity, as_left)
            hindered = await table.rows.hindrances(tx, images)
            obstacles = obstacles.with_more(table.entity, [*changed, *hindered], rows=len(ids))
            inserted = sorted(set(as_left).difference(each.id for each in images))
            obstacles = await _with_dependents(tx, obstacles, table, inserted)
            done += len(ids)
            await context.progress(done=done)
            await context.raise_if_stopping()
    return obstacles


async def _take_back(context: JobContext, tx: Database, job_id: str) -> Undone:
    undone, done = Undone(import_job_id=job_id), 0
    await context.progress(phase="undo", done=0)
    for table in reversed(TABLES):
        async for ids in _written(tx, job_id, table):
            images = await memory.images_of(tx, job_id, table.entity, ids)
            inserted = sorted(set(ids).difference(each.id for each in images))
            # Rows of the import have their former links again, and those may lead here too.
            none = Obstacles(import_job_id=job_id)
            _raise_if_any(await _with_dependents(tx, none, table, inserted))
            taken = await table.rows.take_back(tx, ids, images)
            undone.deleted += taken.deleted
            undone.restored += taken.restored
            done += len(ids)
            await context.progress(done=done)
            await context.raise_if_stopping()
    return undone


async def _settle(context: JobContext, job_id: str) -> None:
    """Committed already, so a cancel comes too late for it."""
    for table in TABLES:
        if table.settle is None:
            continue
        async for ids in _written(context.db, job_id, table):
            await table.settle(context, job_id, ids)

    async def forget(tx: Database) -> None:
        await memory.forget_rows(tx, job_id)

    await unit_of_work(context.db, forget)


async def _written(db: Database, job_id: str, table: Table) -> AsyncIterator[list[str]]:
    """The ids of the rows that the import wrote, some at a time."""
    async for page in memory.pages(db, job_id, table.entity):
        if ids := page.written_ids:
            yield ids


async def _with_dependents(
    tx: Database, obstacles: Obstacles, table: Table, inserted: Sequence[str]
) -> Obstacles:
    """What others have added to rows that are to go: it would lose them."""
    if not inserted:
        return obstacles
    for other in TABLES[TABLES.index(table) + 1 :]:
        found = await other.rows.dependents(tx, obstacles.import_job_id, table.rows, inserted)
        obstacles = obstacles.with_more(other.entity, found)
    return obstacles


def _raise_if_any(obstacles: Obstacles) -> None:
    if obstacles.count:
        raise JobFailed(obstacles.sentence, result=obstacles.model_dump(by_alias=True, mode="json"))


def _entry(context: JobContext, undone: Undone) -> audit.AuditEntry:
    return audit.AuditEntry(
        entity=_AUDITED,
        entity_id=undone.import_job_id,
        action="deleted",
        actor=context.job.actor,
        request_id=context.job.request_id,
        changes={"job": context.job.id, "deleted": undone.deleted, "restored": undone.restored},
    )


UNDO: Final = JobKind(UNDO_KIND, run, exclusive=EXCLUSIVE, local=True, public_arguments=("importJobId",))
"""Never beside an import. The bytes of files may be in the data folder."""
