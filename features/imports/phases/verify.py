"""Verify phase: compares every record of the source with its row in the table, by canonical digest."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson
import structlog

from core.database.import_table import Difference
from core.jobs import JobContext, JobFailed
from features.audit import api as audit
from features.imports.lowdb.spool import NEW, RECORDS
from features.imports.phases.lanes import in_lanes
from features.imports.phases.pages import PageBatch, page_batches
from features.imports.queries import memory
from features.imports.schemas import ENTITY, Arguments, Checked, Checkpoint, Choices, kept
from features.imports.settings import ImportSettings
from features.items import api as items

LANES: Final = 3
"""Number of batches that PostgreSQL hashes at the same time, each on a connection of its own."""
_NAMED_IDS: Final = 5


@dataclass(frozen=True, slots=True)
class Reasons:
    """Differing rows by reason: this import did not write them (they were stored before, the source has not
    changed, or both sides have); somebody changed or deleted them since; or none, which is an error.
    """

    left_alone: list[str]
    changed_since: int
    wrong: list[str]


log = structlog.get_logger(__name__)


async def verify(context: JobContext, arguments: Arguments, folder: Path, checkpoint: Checkpoint) -> Checked:
    """Compare all rows. Raises JobFailed if any is missing or differs without a reason."""
    started_at = time.perf_counter()
    total = checkpoint.findings.accepted
    done = alone = changed_since = 0
    wrong: list[str] = []
    wrong_count = 0
    await context.progress(phase="verify", done=0, total=total)
    remaining = page_batches(folder / RECORDS, rows=context.settings.of(ImportSettings).import_batch_rows)

    def begin(batch: PageBatch) -> asyncio.Task[tuple[PageBatch, list[Difference]]]:
        return asyncio.create_task(_compared(context, batch))

    async with in_lanes(context, remaining, begin, lanes=LANES) as compared:
        async for batch, differences in compared:
            if differences:
                skips = arguments.on_conflict == "skip"
                reasons = await explain(context, ENTITY, batch, differences, arguments, skips=skips)
                alone += len(reasons.left_alone)
                changed_since += reasons.changed_since
                wrong_count += len(reasons.wrong)
                wrong = [*wrong, *reasons.wrong][:_NAMED_IDS]
            done += batch.accepted
            await context.progress(done=done)
    seconds = time.perf_counter() - started_at
    if wrong_count or done != total:
        log.error("import.verification_failed", wrong=wrong_count, compared=done, expected=total, ids=wrong)
        raise JobFailed(
            f"Verification failed: {wrong_count} of {total} items differ from the source: {', '.join(wrong)}",
            result={"imported": checkpoint.imported, "updated": checkpoint.updated, "differing": wrong_count},
        )
    verified = done - alone - changed_since
    log.info("import.verified", verified=verified, kept=alone, changed_since=changed_since)
    return Checked(verified=verified, kept=alone, changed_since=changed_since, seconds=seconds)


async def _compared(context: JobContext, batch: PageBatch) -> tuple[PageBatch, list[Difference]]:
    return batch, await items.compare(context.db, batch.proofs)


async def explain(
    context: JobContext,
    entity: str,
    batch: PageBatch,
    differences: Sequence[Difference],
    choices: Choices,
    *,
    skips: bool,
) -> Reasons:
    """Reasons of the differences. `skips`: rows that were stored before are left alone. Their records are
    noted as kept, lest the next import take them for known.
    """
    left_alone: list[str] = []
    wrong: list[str] = []
    changed_since = 0
    new = {orjson.loads(line.id) for line in batch.records if line.kind == NEW}
    deleted = await _deleted_since(context, entity, differences)
    for each in differences:
        if each.missing:
            alone = choices.since_last and each.id not in new
        else:
            alone = skips and each.import_job_id != context.job.id
        if alone:
            left_alone.append(each.id)
        elif each.id in deleted or (each.version or 0) > (each.import_version or 0):
            changed_since += 1
        else:
            wrong.append(f"{each.id} ({'missing' if each.missing else 'different'})")
    if left_alone and not choices.since_last:
        content = orjson.dumps([[row_id, None] for row_id in left_alone]).decode()
        await memory.keep_page(context.db, context.job.id, kept(entity), batch.position, content)
    return Reasons(left_alone, changed_since, wrong)


async def _deleted_since(
    context: JobContext, entity: str, differences: Sequence[Difference]
) -> frozenset[str]:
    """Ids of missing rows that somebody deleted since the import began, by the audit trail."""
    missing = [each.id for each in differences if each.missing]
    if not missing:
        return frozenset()
    return await audit.deleted_since(context.db, entity, missing, context.job.created_at)
