"""Load phase: writes rows, before images, checkpoint and audit entry in one transaction for each batch, table
after table.

PostgreSQL spends its time on the indexes, with one core for each connection. So several batches are in flight
at the same time, and committed in their order: a checkpoint never runs ahead of a row before it.
"""

import asyncio
import time
from datetime import timedelta
from typing import Final

import structlog

from core.database.client import Database
from core.database.transaction import unit_of_work
from core.jobs import JobContext
from features.audit import api as audit
from features.imports.pipeline.checkpoint import Checkpoint, Tally
from features.imports.pipeline.in_flight import in_flight
from features.imports.pipeline.source import Source
from features.imports.pipeline.spool import REJECTS, Batch, Chunk, batches, chunks, joined, spool_of
from features.imports.pipeline.write import write
from features.imports.queries import journal
from features.imports.queries.bulk import Written
from features.imports.queries.rejects import insert_rejects
from features.imports.schemas import RowReason, remembered
from features.imports.settings import ImportSettings

BATCH_TIMEOUT: Final = timedelta(seconds=60)

log = structlog.get_logger(__name__)


async def load(context: JobContext, source: Source, checkpoint: Checkpoint) -> Checkpoint:
    """Load the spools beyond the checkpoint: each row exactly once, however often interrupted."""
    rows = context.settings.of(ImportSettings).import_batch_rows
    total, rejected = checkpoint.count("accepted"), checkpoint.count("rejected")
    await context.progress(phase="load", done=checkpoint.count("done"), total=total, rejected=rejected)
    await journal.begin_run(context.db, context.job.id, context.job.kind)
    for chunk in chunks(source.folder / REJECTS, checkpoint.rejects_offset, rows=rows):
        await context.raise_if_stopping()
        checkpoint = await _store_rejects(context, chunk, checkpoint)
    began_at = time.perf_counter() - checkpoint.seconds.get("load", 0)
    for table in source.tables:
        checkpoint = await _load_table(context, source, table, checkpoint, began_at)
    tallies = checkpoint.tables
    log.info(
        "import.loaded",
        conflicts=sum(tally.since_last.conflicts for tally in tallies.values() if tally.since_last),
        **{table: tally.imported for table, tally in tallies.items()},
    )
    return checkpoint.model_copy(
        update={"seconds": {**checkpoint.seconds, "load": time.perf_counter() - began_at}}
    )


async def _store_rejects(context: JobContext, chunk: Chunk, checkpoint: Checkpoint) -> Checkpoint:
    reached = checkpoint.model_copy(update={"rejects_offset": chunk.end})

    async def work(tx: Database) -> None:
        await insert_rejects(tx, context.job.id, joined(chunk.lines))
        await context.checkpoint(tx, reached.model_dump())

    await unit_of_work(context.db, work, timeout=BATCH_TIMEOUT)
    return reached


async def _load_table(
    context: JobContext, source: Source, table: str, checkpoint: Checkpoint, began_at: float
) -> Checkpoint:
    begin, target, spool = (
        checkpoint.tables[table].place,
        source.tables[table],
        spool_of(source.folder, table),
    )
    rows = context.settings.of(ImportSettings).import_batch_rows
    if source.arguments.since_last and target.reversal is not None:
        part = remembered(target.declared.entity)
        await journal.add_chunk(context.db, context.job.id, part, 0, "[]")
    if begin.offset and (objects := source.objects(table)) is not None:
        # An interruption may have come before what follows a commit.
        for batch in batches(spool, rows=rows):
            await objects.written(context, batch, [line.key for line in batch.accepted])
            await context.raise_if_stopping()
            if batch.end.offset >= begin.offset:
                break
    before = asyncio.get_running_loop().create_future()
    before.set_result(checkpoint)

    def start(batch: Batch) -> asyncio.Task[Checkpoint]:
        nonlocal before
        before = asyncio.create_task(_load_batch(context, source, table, batch, before, began_at))
        return before

    remaining = batches(spool, rows=rows, begin=begin)
    async with in_flight(context, remaining, start, most=target.declared.at_once) as reached:
        async for checkpoint in reached:
            await context.progress(done=checkpoint.count("done"))
    return checkpoint


async def _load_batch(
    context: JobContext,
    source: Source,
    table: str,
    batch: Batch,
    before: "asyncio.Future[Checkpoint]",
    began_at: float,
) -> Checkpoint:
    """Write a batch: its rows at once, the checkpoint, and with it the commit, after the batch `before`."""
    objects = source.objects(table)
    if objects is not None:
        batch = await objects.store(context, batch)

    async def work(tx: Database) -> tuple[list[str], Checkpoint]:
        outcome, conflicts = await write(tx, context.job.id, source, table, batch)
        written = outcome.written or []
        if objects is not None:
            if outcome.written is None:
                written = [line.key for line in batch.accepted]
            await objects.raise_if_missing(context, tx, written)
        if outcome.inserted or outcome.updated:
            await audit.record(tx, _entry(context, source, table, outcome))
        reached = await asyncio.shield(before)
        tally = _counted(reached.tables[table], batch, outcome, conflicts)
        checkpoint = reached.beside(table, tally, "load", time.perf_counter() - began_at)
        await context.checkpoint(tx, checkpoint.model_dump(), done=checkpoint.count("done"))
        return written, checkpoint

    async with context.cache.invalidating(*source.tables[table].declared.tags):
        written, checkpoint = await unit_of_work(context.db, work, timeout=BATCH_TIMEOUT)
    if objects is not None:
        await objects.written(context, batch, written)
    return checkpoint


def _counted(tally: Tally, batch: Batch, outcome: Written, conflicts: list[RowReason]) -> Tally:
    changes = tally.since_last and tally.since_last.plus(
        new=outcome.inserted,
        changed=len(outcome.updated),
        unchanged=outcome.unchanged,
        conflicts=len(conflicts),
        first_conflicts=conflicts,
    )
    return tally.model_copy(
        update={
            "place": batch.end,
            "imported": tally.imported + outcome.inserted,
            "updated": tally.updated + len(outcome.updated),
            "unchanged": tally.unchanged + outcome.unchanged,
            "kept": tally.kept + outcome.kept,
            "since_last": changes,
        }
    )


def _entry(context: JobContext, source: Source, table: str, outcome: Written) -> audit.AuditEntry:
    return audit.AuditEntry(
        entity=source.tables[table].declared.entity,
        entity_id=context.job.id,
        action="imported",
        actor=context.job.actor,
        request_id=context.job.request_id,
        changes={
            "source": source.arguments.source,
            "inserted": outcome.inserted,
            "updated": len(outcome.updated),
        },
    )
