"""Load phase: writes rows and checkpoint in the same transaction, batch by batch.

PostgreSQL spends its time on the indexes, with one core for each connection. So four batches are in progress
at the same time, and committed in their order: a checkpoint never runs ahead of a row before it.
"""

import asyncio
import time
from datetime import timedelta
from pathlib import Path
from typing import Final

import structlog

from core.database.client import Database
from core.database.transaction import unit_of_work
from core.jobs import JobContext
from features.audit import api as audit
from features.imports.lowdb.spool import RECORDS, REJECTS, Batch, batches
from features.imports.phases.lanes import in_lanes
from features.imports.phases.pages import PageBatch, page_batches
from features.imports.phases.rejects import store
from features.imports.phases.rows import Outcome, write
from features.imports.queries import memory
from features.imports.schemas import ENTITY, KIND, Arguments, Changes, Checkpoint, remembered
from features.imports.settings import ImportSettings
from features.items import api as items

LANES: Final = 4
BATCH_TIMEOUT: Final = timedelta(seconds=60)

log = structlog.get_logger(__name__)


async def load(context: JobContext, arguments: Arguments, folder: Path, checkpoint: Checkpoint) -> Checkpoint:
    """Load the spools beyond the checkpoint: each row exactly once, however often interrupted."""
    batch_rows = context.settings.of(ImportSettings).import_batch_rows
    total = checkpoint.findings.accepted
    await context.progress(
        phase="load", done=checkpoint.done, total=total, rejected=checkpoint.findings.rejected
    )
    await memory.begin_run(context.db, context.job.id, KIND)
    if arguments.since_last:
        await memory.keep_page(context.db, context.job.id, remembered(ENTITY), 0, "[]")
    for batch in batches(folder / REJECTS, checkpoint.rejects_offset, rows=batch_rows):
        await context.raise_if_stopping()
        checkpoint = await _store_rejects(context, batch, checkpoint)
    checkpoint = await _load_records(context, arguments, folder / RECORDS, checkpoint)
    log.info(
        "import.loaded",
        imported=checkpoint.imported,
        updated=checkpoint.updated,
        unchanged=checkpoint.unchanged,
        kept=checkpoint.kept,
        conflicts=checkpoint.changes.conflicts if checkpoint.changes else 0,
    )
    return checkpoint


async def _store_rejects(context: JobContext, batch: Batch, checkpoint: Checkpoint) -> Checkpoint:
    reached = checkpoint.model_copy(update={"rejects_offset": batch.end})

    async def work(tx: Database) -> None:
        await store(tx, context.job.id, batch)
        await context.checkpoint(tx, reached.model_dump())

    await unit_of_work(context.db, work, timeout=BATCH_TIMEOUT)
    return reached


async def _load_records(
    context: JobContext, arguments: Arguments, spool: Path, checkpoint: Checkpoint
) -> Checkpoint:
    begun_at = time.perf_counter() - checkpoint.seconds
    newest: asyncio.Future[Checkpoint] = asyncio.get_running_loop().create_future()
    newest.set_result(checkpoint)

    def begin(batch: PageBatch) -> asyncio.Task[Checkpoint]:
        nonlocal newest
        task = asyncio.create_task(_load_batch(context, arguments, batch, newest, begun_at))
        newest = task
        return task

    remaining = page_batches(
        spool,
        rows=context.settings.of(ImportSettings).import_batch_rows,
        offset=checkpoint.offset,
        position=checkpoint.position,
        pieces=checkpoint.pieces,
        remembered=checkpoint.remembered,
    )
    async with in_lanes(context, remaining, begin, lanes=LANES) as reached:
        async for checkpoint in reached:
            await context.progress(done=checkpoint.done)
    return checkpoint


async def _load_batch(
    context: JobContext,
    arguments: Arguments,
    batch: PageBatch,
    before: asyncio.Future[Checkpoint],
    begun_at: float,
) -> Checkpoint:
    """Write a batch: its rows at once, the checkpoint, and with it the commit, after the batch `before`."""

    async def work(tx: Database) -> tuple[int, Checkpoint]:
        outcome = await write(tx, context.job.id, arguments, batch)
        counts = outcome.counts
        written = counts.inserted + counts.updated
        if written:
            await audit.record(tx, _entry(context, arguments, counts))
        reached = await asyncio.shield(before)
        checkpoint = reached.model_copy(
            update={
                "offset": batch.end,
                "position": batch.position + len(batch.records),
                "pieces": batch.pieces + len(batch.frame),
                "remembered": batch.remembered_before + len(batch.remembered),
                "done": reached.done + batch.accepted,
                "imported": reached.imported + counts.inserted,
                "updated": reached.updated + counts.updated,
                "unchanged": reached.unchanged + counts.unchanged,
                "kept": reached.kept + counts.kept,
                "changes": _changed(reached.changes, outcome),
                "seconds": time.perf_counter() - begun_at,
            }
        )
        await context.checkpoint(tx, checkpoint.model_dump(), done=checkpoint.done)
        return written, checkpoint

    written, checkpoint = await unit_of_work(context.db, work, timeout=BATCH_TIMEOUT)
    if written:
        await context.cache.invalidate(*items.ITEM_TAGS)
    return checkpoint


def _changed(before: Changes | None, outcome: Outcome) -> Changes | None:
    if before is None:
        return None
    counts = outcome.counts
    return before.with_counts(
        new=counts.inserted, changed=counts.updated, unchanged=counts.unchanged
    ).with_conflicts(outcome.conflicts)


def _entry(context: JobContext, arguments: Arguments, counts: items.LoadCounts) -> audit.AuditEntry:
    return audit.AuditEntry(
        entity="item",
        entity_id=context.job.id,
        action="imported",
        actor=context.job.actor,
        request_id=context.job.request_id,
        changes={"source": arguments.source, "inserted": counts.inserted, "updated": counts.updated},
    )
