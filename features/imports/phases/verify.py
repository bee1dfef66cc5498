"""Verify: every record of the source against its row in the table, by canonical hash."""

import asyncio
import time
from pathlib import Path
from typing import Final

import orjson
import structlog

from core.jobs import JobContext, JobFailed
from features.audit import api as audit
from features.imports.lowdb.spool import NEW, RECORDS
from features.imports.phases.lanes import in_lanes
from features.imports.phases.pages import PageBatch, page_batches
from features.imports.schemas import ENTITY, Arguments, Checked, Checkpoint
from features.items import api as items

LANES: Final = 3
"""Batches that PostgreSQL hashes at the same time, each on a connection of its own."""
_NAMED_IDS: Final = 5

log = structlog.get_logger(__name__)


async def verify(context: JobContext, arguments: Arguments, folder: Path, checkpoint: Checkpoint) -> Checked:
    """Compare all rows. Raises JobFailed if any is missing or differs without a reason.

    A row differs with a reason when this import left it as it was, or when somebody changed or deleted it
    since.
    """
    started_at = time.perf_counter()
    total = checkpoint.findings.accepted
    done = kept = changed_since = 0
    wrong: list[str] = []
    wrong_count = 0
    await context.progress(phase="verify", done=0, total=total)
    start = Checkpoint(findings=checkpoint.findings)
    remaining = page_batches(folder / RECORDS, start, rows=context.settings.import_batch_rows)

    def begin(batch: PageBatch) -> asyncio.Task[tuple[PageBatch, list[items.Mismatch]]]:
        return asyncio.create_task(_compared(context, batch))

    async with in_lanes(context, remaining, begin, lanes=LANES) as compared:
        async for batch, mismatches in compared:
            left_alone = _left_alone(context, arguments, batch, mismatches)
            rest = [each for each in mismatches if each.id not in left_alone]
            deleted = await _deleted_since(context, rest)
            kept += len(left_alone)
            for each in rest:
                if each.id in deleted or (each.version or 0) > (each.import_version or 0):
                    changed_since += 1
                else:
                    wrong_count += 1
                    wrong = [*wrong, f"{each.id} ({'missing' if each.missing else 'different'})"][:_NAMED_IDS]
            done += batch.accepted
            await context.progress(done=done)
    seconds = time.perf_counter() - started_at
    if wrong_count or done != total:
        log.error("import.verification_failed", wrong=wrong_count, compared=done, expected=total, ids=wrong)
        raise JobFailed(
            f"Verification failed: {wrong_count} of {total} items differ from the source: {', '.join(wrong)}",
            result={"imported": checkpoint.imported, "updated": checkpoint.updated, "differing": wrong_count},
        )
    verified = done - kept - changed_since
    log.info("import.verified", verified=verified, kept=kept, changed_since=changed_since)
    return Checked(verified=verified, kept=kept, changed_since=changed_since, seconds=seconds)


async def _compared(context: JobContext, batch: PageBatch) -> tuple[PageBatch, list[items.Mismatch]]:
    return batch, await items.compare(context.db, batch.proofs)


def _left_alone(
    context: JobContext, arguments: Arguments, batch: PageBatch, mismatches: list[items.Mismatch]
) -> set[str]:
    """Those whose rows this import had no reason to write: they were stored before, or the source has not
    changed, or both sides have.
    """
    if not mismatches or not (arguments.since_last or arguments.on_conflict == "skip"):
        return set()
    others = {each.id for each in mismatches if not each.missing and each.import_job_id != context.job.id}
    if not arguments.since_last:
        return others
    new = {orjson.loads(line.id) for line in batch.records if line.kind == NEW}
    return others | {each.id for each in mismatches if each.missing and each.id not in new}


async def _deleted_since(context: JobContext, mismatches: list[items.Mismatch]) -> frozenset[str]:
    """The audit trail tells a row that somebody deleted from one that was never written."""
    missing = [each.id for each in mismatches if each.missing]
    if not missing:
        return frozenset()
    return await audit.deleted_since(context.db, ENTITY, missing, context.job.created_at)
