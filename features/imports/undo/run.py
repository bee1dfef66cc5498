"""Job `import.undo`: one transaction, so that others see all of it or nothing.

While it runs, the rows of the import are locked, and whoever wants to change one of them, or add something to
it, waits or is told to come back. Interrupted, it begins anew. Changes outside of the tables follow after the
commit, from the import's manifest chunks; these are deleted last, so that an interruption loses nothing.
"""

from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
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
AUDITED: Final = "import"

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
        kept = defaultdict[str, dict[str, Conflict]](dict) if arguments.keep_changed else None
        undo = _Undo(context, tx, job_id, await references(tx), kept)
        await undo.hold()
        undone = await undo.take_back()
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


@dataclass(frozen=True, slots=True)
class _Undo:
    """Undo in a transaction. `kept`: rows that stay, by entity and id, if what has changed is to be kept."""

    context: JobContext
    tx: Database
    job_id: str
    known: Sequence[Reference]
    kept: dict[str, dict[str, Conflict]] | None

    async def hold(self) -> None:
        """Lock every row of the import. Raises JobFailed if anything stands against taking it back, unless
        that is kept.
        """
        tx, job_id = self.tx, self.job_id
        conflicts, done = Conflicts(import_job_id=job_id), 0
        await self.context.progress(phase="check", done=0)
        for table in REVERSIBLE:
            async for ids in _written(tx, job_id, table):
                left = await journal.images_of(tx, job_id, table.entity, ids, after=True)
                moved = await table.moved(tx, job_id, ids, left)
                as_left = sorted(set(ids).difference(each.id for each in moved))
                images = await journal.images_of(tx, job_id, table.entity, as_left)
                found = [
                    *await self._changed(table, moved),
                    *await table.conflicts(tx, images, self.known),
                ]
                if self.kept is not None:
                    self.kept[table.entity].update({each.id: each for each in found})
                else:
                    conflicts.rows += len(ids)
                    conflicts.add(table.entity, found)
                    await self._add_dependents(conflicts, table, sorted(set(as_left).difference(images)))
                done += len(ids)
                await self._go_on(done)
        _raise_if_any(conflicts)

    async def take_back(self) -> Undone:
        tx, job_id = self.tx, self.job_id
        undone, done = Undone(import_job_id=job_id), 0
        await self.context.progress(phase="undo", done=0)
        for table in reversed(REVERSIBLE):
            async for written in _written(tx, job_id, table):
                changed = {} if self.kept is None else self.kept[table.entity]
                stay = {row_id: changed[row_id] for row_id in written if row_id in changed}
                ids = set(written).difference(stay)
                images = await journal.images_of(tx, job_id, table.entity, sorted(ids))
                inserted = sorted(ids.difference(images))
                # Rows of the import have their former links again, and those may lead here too.
                if self.kept is None:
                    conflicts = Conflicts(import_job_id=job_id)
                    await self._add_dependents(conflicts, table, inserted)
                    _raise_if_any(conflicts)
                else:
                    # What others refer to stays: those that go, go before the rows that they refer to.
                    for reference in self._references_to(table, inserted):
                        held = await holders(tx, reference, job_id, inserted)
                        stay |= {each.id: each for each in held}
                    ids.difference_update(stay)
                    inserted = sorted(ids.difference(images))
                    undone.keep(table.entity, [stay[row_id] for row_id in sorted(stay)])
                deleted, restored = await table.take_back(tx, job_id, inserted, images)
                undone.deleted += deleted
                undone.restored += restored
                undone.gone += len(ids) - deleted - restored
                done += len(written)
                await self._go_on(done)
        return undone

    async def _changed(self, table: ReversibleTable, moved: Sequence[Moved]) -> list[Conflict]:
        """Conflict for rows that were changed since. A row that somebody deleted is undone already, whatever
        has its id now.
        """
        by_imports = [
            (each.import_job_id, each.id) for each in moved if each.what == "foreign" and each.import_job_id
        ]
        overwritten = (
            await journal.overwritten(self.tx, table.entity, by_imports) if by_imports else frozenset()
        )
        return [
            Conflict(each.id, "was changed")
            if each.what == "changed"
            else Conflict(each.id, f"was overwritten by import {each.import_job_id}")
            for each in moved
            if each.what == "changed" or each.id in overwritten
        ]

    async def _add_dependents(
        self, conflicts: Conflicts, table: ReversibleTable, inserted: Sequence[str]
    ) -> None:
        """Add rows that refer to those that are to go, and do not go with them: their owner would lose them,
        or the link.
        """
        own = {each.name for each in REVERSIBLE}
        for reference in self._references_to(table, inserted):
            reversible = reference.source in own
            found = await dependents(self.tx, reference, self.job_id, inserted, reversible=reversible)
            conflicts.add(reference.entity, found)

    def _references_to(self, table: ReversibleTable, rows: Sequence[str]) -> list[Reference]:
        return [each for each in self.known if each.target == table.name and rows]

    async def _go_on(self, done: int) -> None:
        await self.context.progress(done=done)
        await self.context.raise_if_stopping()


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
    async for chunk in journal.chunks(db, job_id, table.entity):
        if ids := chunk.written_ids:
            yield ids


def _raise_if_any(conflicts: Conflicts) -> None:
    if conflicts.count:
        raise JobFailed(conflicts.sentence, result=conflicts.model_dump(by_alias=True, mode="json"))


def _entry(context: JobContext, undone: Undone) -> audit.AuditEntry:
    counts = undone.model_dump(include={"deleted", "restored", "kept"})
    return audit.AuditEntry(
        entity=AUDITED,
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
