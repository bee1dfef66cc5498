"""Job `import.undo`: one transaction, so that others see all of it or nothing.

While it runs, the rows of the import are locked, and whoever wants to change one of them, or add something to
it, waits or is told to come back. Interrupted, it begins anew. Changes outside of the tables follow after the
commit, from the import's manifest chunks; these are deleted last, so that an interruption loses nothing.
"""

from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Final

import structlog

from core.database.client import Database
from core.database.transaction import unit_of_work
from core.jobs import JobContext, JobFailed, JobKind, JsonObject
from features.audit import api as audit
from features.files import api as files
from features.imports.queries import journal
from features.imports.queries.references import Conflict, Reference, dependents, holders, references
from features.imports.queries.reversal import Moved, ReversibleTable
from features.imports.queries.tables import REVERSIBLE
from features.imports.schemas import EXCLUSIVE, UNDO_KIND
from features.imports.undo import contents
from features.imports.undo.baseline import forget_in_later_runs
from features.imports.undo.schemas import Conflicts, UndoArguments, Undone

TIMEOUT: Final = timedelta(hours=2)
_AUDITED: Final = "import"
Kept = dict[str, dict[str, Conflict]]
"""Rows that stay, by entity and id."""

log = structlog.get_logger(__name__)


async def run(context: JobContext) -> JsonObject:
    """Undo the import. Raises JobFailed with the conflicts when anything has changed since the import, unless
    that is to be kept. A dry run does all of it and rolls back.
    """
    arguments = UndoArguments.model_validate(context.job.arguments)
    known = context.job.checkpoint
    try:
        undone = await _undo(context, arguments) if known is None else Undone.model_validate(known)
    except _OnlyADryRun as told:
        return told.undone.model_dump(by_alias=True)
    await context.progress(phase="settle", done=undone.deleted + undone.restored)
    await _settle(context, arguments.import_job_id)
    return undone.model_dump(by_alias=True)


class _OnlyADryRun(Exception):
    def __init__(self, undone: Undone) -> None:
        self.undone = undone


async def _undo(context: JobContext, arguments: UndoArguments) -> Undone:
    job_id = arguments.import_job_id

    async def work(tx: Database) -> Undone:
        known = await references(tx)
        kept: Kept | None = defaultdict(dict) if arguments.keep_changed else None
        _raise_if_any(await _hold(context, tx, job_id, known, kept))
        undone = await _take_back(context, tx, job_id, known, kept)
        if arguments.dry_run:
            raise _OnlyADryRun(undone)
        await forget_in_later_runs(tx, job_id)
        await journal.forget_run(tx, job_id)
        await audit.record(tx, _entry(context, undone))
        await context.checkpoint(tx, undone.model_dump(by_alias=True), done=undone.deleted + undone.restored)
        return undone

    async with context.cache.invalidating(*(tag for table in REVERSIBLE for tag in table.declared.tags)):
        undone = await unit_of_work(context.db, work, timeout=TIMEOUT)
    log.info("import.undone", import_job_id=job_id, deleted=undone.deleted, restored=undone.restored)
    return undone


async def _hold(
    context: JobContext, tx: Database, job_id: str, known: Sequence[Reference], kept: Kept | None
) -> Conflicts:
    """Lock every row of the import, and find what stands against taking it back, or has to be `kept`."""
    conflicts, done = Conflicts(import_job_id=job_id), 0
    await context.progress(phase="check", done=0)
    for table in REVERSIBLE:
        async for ids in _written(tx, job_id, table):
            left = await journal.left_images_of(tx, job_id, table.entity, ids)
            moved = await table.moved(tx, job_id, ids, left)
            changed = await _changed(tx, table, moved)
            as_left = sorted(set(ids).difference(each.id for each in moved))
            images = await journal.images_of(tx, job_id, table.entity, as_left)
            conflicting = await table.conflicts(tx, images, known)
            if kept is not None:
                kept[table.entity].update({each.id: each for each in (*changed, *conflicting)})
            else:
                conflicts = conflicts.with_more(table.entity, [*changed, *conflicting], rows=len(ids))
                inserted = sorted(set(as_left).difference(each.id for each in images))
                conflicts = await _with_dependents(tx, conflicts, table, inserted, known)
            done += len(ids)
            await context.progress(done=done)
            await context.raise_if_stopping()
    return conflicts


async def _changed(tx: Database, table: ReversibleTable, moved: Sequence[Moved]) -> list[Conflict]:
    """Conflict for rows that were changed since. A row that somebody deleted is undone already, whatever has
    its id now.
    """
    foreign = [(each.import_job_id, each.id) for each in moved if each.what == "foreign"]
    by_imports = [(job_id, row_id) for job_id, row_id in foreign if job_id is not None]
    overwritten = await journal.overwritten(tx, table.entity, by_imports) if by_imports else frozenset()
    return [
        Conflict(each.id, "was changed")
        if each.what == "changed"
        else Conflict(each.id, f"was overwritten by import {each.import_job_id}")
        for each in moved
        if each.what == "changed" or each.id in overwritten
    ]


async def _take_back(
    context: JobContext, tx: Database, job_id: str, known: Sequence[Reference], kept: Kept | None
) -> Undone:
    undone, done = Undone(import_job_id=job_id), 0
    await context.progress(phase="undo", done=0)
    for table in reversed(REVERSIBLE):
        async for written in _written(tx, job_id, table):
            changed = {} if kept is None else kept[table.entity]
            stay = {row_id: changed[row_id] for row_id in written if row_id in changed}
            ids = [row_id for row_id in written if row_id not in stay]
            images = await journal.images_of(tx, job_id, table.entity, ids)
            inserted = sorted(set(ids).difference(each.id for each in images))
            # Rows of the import have their former links again, and those may lead here too.
            if kept is None:
                none = Conflicts(import_job_id=job_id)
                _raise_if_any(await _with_dependents(tx, none, table, inserted, known))
            else:
                stay |= await _needed(tx, job_id, table, inserted, known)
                ids = [row_id for row_id in ids if row_id not in stay]
                undone.keep(table.entity, [stay[row_id] for row_id in sorted(stay)])
            taken = await table.take_back(tx, job_id, ids, images)
            undone.deleted += taken.deleted
            undone.restored += taken.restored
            undone.gone += len(ids) - taken.deleted - taken.restored
            done += len(written)
            await context.progress(done=done)
            await context.raise_if_stopping()
    return undone


async def _needed(
    tx: Database, job_id: str, table: ReversibleTable, inserted: Sequence[str], known: Sequence[Reference]
) -> dict[str, Conflict]:
    """Rows to which others refer that stay: those that go, go before the rows that they refer to."""
    found: dict[str, Conflict] = {}
    for reference in known:
        if inserted and reference.target == table.name:
            found |= {each.id: each for each in await holders(tx, reference, job_id, inserted)}
    return found


async def _settle(context: JobContext, job_id: str) -> None:
    """Settle objects, then delete the manifest. All is committed, so a cancel comes too late for it."""
    [table] = [each for each in REVERSIBLE if each.entity == files.ENTITY]
    async for ids in _written(context.db, job_id, table):
        await contents.settle(context, job_id, ids)

    async def forget(tx: Database) -> None:
        await journal.forget_rows(tx, job_id)

    await unit_of_work(context.db, forget)


async def _written(db: Database, job_id: str, table: ReversibleTable) -> AsyncIterator[list[str]]:
    """Batches of ids of the rows that the import wrote."""
    async for page in journal.pages(db, job_id, table.entity):
        if ids := page.written_ids:
            yield ids


async def _with_dependents(
    tx: Database,
    conflicts: Conflicts,
    table: ReversibleTable,
    inserted: Sequence[str],
    known: Sequence[Reference],
) -> Conflicts:
    """Rows that refer to those that are to go, and do not go with them: their owner would lose them, or the
    link.
    """
    if not inserted:
        return conflicts
    entities = {each.name: each.entity for each in REVERSIBLE}
    for reference in known:
        if reference.target == table.name:
            entity = entities.get(reference.source)
            job_id, reversible = conflicts.import_job_id, entity is not None
            found = await dependents(tx, reference, job_id, inserted, reversible=reversible)
            conflicts = conflicts.with_more(entity or reference.source, found)
    return conflicts


def _raise_if_any(conflicts: Conflicts) -> None:
    if conflicts.count:
        raise JobFailed(conflicts.sentence, result=conflicts.model_dump(by_alias=True, mode="json"))


def _entry(context: JobContext, undone: Undone) -> audit.AuditEntry:
    counts = undone.model_dump(include={"deleted", "restored", "kept"})
    return audit.AuditEntry(
        entity=_AUDITED,
        entity_id=undone.import_job_id,
        action="deleted",
        actor=context.job.actor,
        request_id=context.job.request_id,
        changes={"job": context.job.id, **counts},
    )


UNDO: Final = JobKind(
    UNDO_KIND,
    run,
    exclusive=EXCLUSIVE,
    local=True,
    public_arguments=("importJobId", "keepChanged", "dryRun"),
    kept=True,
)
"""Kind of the undo job, exclusive with imports. `local`: the bytes of files may be in the data folder."""
