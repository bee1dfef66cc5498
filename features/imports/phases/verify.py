"""Verify: every record of the source against its row in the table, by canonical hash."""

import asyncio
import time
from itertools import islice
from pathlib import Path
from typing import Final

import orjson
import structlog

from core.jobs import JobContext, JobFailed
from features.imports.lowdb.spool import RECORDS, Batch, batches, digest_of, row_of
from features.imports.schemas import Arguments, Checked, Checkpoint
from features.items import api as items

_AT_ONCE: Final = 2
"""Batches that PostgreSQL hashes at the same time, each on a connection of its own."""
_NAMED_IDS: Final = 5

log = structlog.get_logger(__name__)


async def verify(context: JobContext, arguments: Arguments, folder: Path, checkpoint: Checkpoint) -> Checked:
    """Compare all rows. Raises JobFailed if any is missing or differs without a reason.

    A row differs with a reason when `skip` kept what was there, or when somebody changed it since.
    """
    started_at = time.perf_counter()
    total = checkpoint.findings.accepted
    done = kept = changed_since = 0
    wrong: list[str] = []
    wrong_count = 0
    await context.progress(phase="verify", done=0, total=total)
    remaining = batches(folder / RECORDS, 0, rows=context.settings.import_batch_rows)
    while some := list(islice(remaining, _AT_ONCE)):
        await context.raise_if_stopping()
        for mismatches in await asyncio.gather(*(_differences(context, batch) for batch in some)):
            for each in mismatches:
                if not each.missing and _was_kept(each, context.job.id, arguments):
                    kept += 1
                elif not each.missing and (each.version or 0) > (each.import_version or 0):
                    changed_since += 1
                else:
                    wrong_count += 1
                    wrong = [*wrong, f"{each.id} ({'missing' if each.missing else 'different'})"][:_NAMED_IDS]
        done += sum(len(batch.lines) for batch in some)
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


async def _differences(context: JobContext, batch: Batch) -> list[items.Mismatch]:
    return await items.compare(
        context.db, [(orjson.loads(row_of(line))["id"], digest_of(line)) for line in batch.lines]
    )


def _was_kept(each: items.Mismatch, job_id: str, arguments: Arguments) -> bool:
    return arguments.on_conflict == "skip" and each.import_job_id != job_id
