"""Verify phase: compares every record of the source with its row by digest, every object by its checksum."""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from typing import Final

import orjson
import structlog

from core.jobs import JobContext, JobFailed
from features.audit import api as audit
from features.imports.pipeline.checkpoint import Checkpoint
from features.imports.pipeline.in_flight import in_flight
from features.imports.pipeline.source import Source
from features.imports.pipeline.spool import NEW, Batch, batches, joined, spool_of
from features.imports.queries import journal
from features.imports.queries.bulk import Difference
from features.imports.schemas import kept
from features.imports.settings import ImportSettings

_AT_ONCE: Final = 3
"""Number of batches that PostgreSQL hashes at the same time, each on a connection of its own."""
_NAMED_IDS: Final = 5

log = structlog.get_logger(__name__)


async def verify(context: JobContext, source: Source, checkpoint: Checkpoint) -> Checkpoint:
    """Compare all rows, and read all objects that were stored again. Raises JobFailed if anything is missing
    or differs without a reason.
    """
    began_at = time.perf_counter()
    total, done, wrong = checkpoint.count("accepted"), 0, list[str]()
    await context.progress(phase="verify", done=0, total=total)
    for table in source.tables:
        counts, some_wrong = await _verify_table(context, source, table, done)
        done += counts.pop("done")
        wrong += [source.named(table, each) for each in some_wrong]
        tally = checkpoint.tables[table].model_copy(update=counts)
        checkpoint = checkpoint.beside(table, tally, "verify", time.perf_counter() - began_at)
    if wrong or done != total:
        log.error("import.verification_failed", wrong=len(wrong), compared=done, expected=total)
        raise JobFailed(
            f"Verification failed: {len(wrong)} of {total} {source.words.rows} differ from the source: "
            f"{', '.join(wrong[:_NAMED_IDS])}",
            result={
                "imported": checkpoint.count("imported"),
                "updated": checkpoint.count("updated"),
                "differing": len(wrong),
            },
        )
    log.info("import.verified", verified=checkpoint.count("verified"))
    return checkpoint


async def _verify_table(
    context: JobContext, source: Source, table: str, before: int
) -> tuple[Counter[str], list[str]]:
    """Counts of a `Tally`, those that are `done`, and the wrong ones. So many were compared `before`."""
    rows, objects = source.tables[table], source.objects(table)
    counts, wrong = Counter(done=0), list[str]()

    async def compare(batch: Batch) -> tuple[Batch, list[Difference]]:
        pairs = joined(line.compared(rows) for line in batch.accepted)
        return batch, await rows.compare(context.db, pairs)

    remaining = batches(
        spool_of(source.folder, table), rows=context.settings.of(ImportSettings).import_batch_rows
    )
    async with in_flight(
        context, remaining, lambda batch: asyncio.create_task(compare(batch)), most=_AT_ONCE
    ) as compared:
        async for batch, differences in compared:
            counts.update(done=len(batch.accepted), verified=len(batch.accepted) - len(differences))
            if differences:
                wrong += await _explain(context, source, table, batch, differences, counts)
            if objects is not None:
                different = {each.id for each in differences}
                alike = [line.key for line in batch.accepted if line.key not in different]
                wrong += [f"{each} (other bytes)" for each in await objects.damaged(context, alike)]
            await context.progress(done=before + counts["done"])
    return counts, wrong


async def _explain(
    context: JobContext,
    source: Source,
    table: str,
    batch: Batch,
    differences: Sequence[Difference],
    counts: Counter[str],
) -> list[str]:
    """Count the differences by their reasons; returns those without. Records of rows that were stored before
    and left alone are noted as kept, lest the next import take them for known.
    """
    arguments, entity = source.arguments, source.tables[table].declared.entity
    skips = arguments.on_conflict == "skip" or source.tables[table].reversal is None
    left_alone: list[str] = []
    wrong: list[str] = []
    new = {line.key for line in batch.records if line.kind == NEW}
    missing = [each.id for each in differences if each.missing]
    deleted = frozenset[str]()
    if missing:
        deleted = await audit.deleted_since(context.db, entity, missing, context.job.created_at)
    for each in differences:
        if each.missing:
            alone = arguments.since_last and each.id not in new
        else:
            alone = skips and each.import_job_id != context.job.id
        if alone:
            left_alone.append(each.id)
        elif each.id in deleted or (each.version or 0) > (each.import_version or 0):
            counts["changed_since"] += 1
        else:
            wrong.append(f"{each.id} ({'missing' if each.missing else 'different'})")
    if left_alone and not arguments.since_last:
        counts["differing"] += len(left_alone)
        content = orjson.dumps([[row_id, None] for row_id in left_alone]).decode()
        await journal.add_chunk(context.db, context.job.id, kept(entity), batch.begin.records, content)
    return wrong
