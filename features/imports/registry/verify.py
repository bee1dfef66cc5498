"""Verify: every row of the source against its row in the table by digest, every object by its checksum."""

import asyncio
import json
import time
from functools import partial
from pathlib import Path
from typing import Any, Final

import structlog

from core.database.bulk import Difference
from core.jobs import JobContext, JobFailed
from features.files import api as files
from features.imports.lowdb.spool import Batch, batches, digest_of, row_of
from features.imports.registry.judge import spool_of
from features.imports.registry.schemas import AUDIT, FILES, TABLES, Arguments, Checked, Checkpoint, Table
from features.imports.registry.tables import takeover_of

_NAMED_IDS: Final = 5

log = structlog.get_logger(__name__)


class _Tally:
    def __init__(self) -> None:
        self.done = 0
        self.kept = 0
        self.changed_since = 0
        self.wrong: list[str] = []


async def verify(
    context: JobContext, arguments: Arguments, folder: Path, checkpoint: Checkpoint
) -> tuple[dict[Table, Checked], float]:
    """Compare all rows, and read all bytes that were copied again; how long it took in seconds.

    Raises JobFailed if anything is missing or differs without a reason. A row differs with a reason when
    `skip` kept what was there, or when somebody changed it since.
    """
    began_at = time.perf_counter()
    checked: dict[Table, Checked] = {}
    wrong: list[str] = []
    compared, total = 0, checkpoint.findings.accepted
    await context.progress(phase="verify", done=0, total=total)
    for table in TABLES:
        if table not in checkpoint.findings.tables:
            continue
        tally = _Tally()
        remaining = batches(spool_of(folder, table), 0, rows=context.settings.import_batch_rows)
        while (batch := await asyncio.to_thread(partial(next, remaining, None))) is not None:
            await context.raise_if_stopping()
            await _compare(context, arguments, table, batch, tally)
            await context.progress(done=compared + tally.done)
        compared += tally.done
        wrong += tally.wrong
        verified = tally.done - tally.kept - tally.changed_since
        checked[table] = Checked(verified=verified, kept=tally.kept, changed_since=tally.changed_since)
    if wrong or compared != total:
        log.error("import.verification_failed", wrong=len(wrong), compared=compared, expected=total)
        raise JobFailed(
            f"Verification failed: {len(wrong)} of {total} rows differ from the source: "
            f"{', '.join(wrong[:_NAMED_IDS])}",
            result={"differing": len(wrong)},
        )
    log.info("import.verified", verified=sum(each.verified for each in checked.values()))
    return checked, time.perf_counter() - began_at


async def _compare(
    context: JobContext, arguments: Arguments, table: Table, batch: Batch, tally: _Tally
) -> None:
    proofs = await asyncio.to_thread(_proofs, batch)
    differences = await takeover_of(table, arguments.columns[table]).compare(context.db, proofs)
    excused: set[str] = set()
    for each in differences:
        if not each.missing and _was_kept(table, each, context.job.id, arguments):
            tally.kept += 1
        elif not each.missing and (each.version or 0) > (each.import_version or 0):
            tally.changed_since += 1
        else:
            tally.wrong.append(f"{table} {each.id} ({'missing' if each.missing else 'different'})")
        excused.add(each.id)
    if table == FILES:
        await _compare_contents(context, [row["id"] for _, row in proofs if row["id"] not in excused], tally)
    tally.done += len(proofs)


async def _compare_contents(context: JobContext, ids: list[str], tally: _Tally) -> None:
    """Only what this job stored; other objects were proved when they came."""
    for file_id, content in (await files.contents_of(context.db, ids)).items():
        if content.object_key != files.key_for(context.job.id, file_id):
            continue
        await context.raise_if_stopping()
        if not await files.holds(context.settings, content):
            tally.wrong.append(f"{FILES} {file_id} (other bytes)")


def _proofs(batch: Batch) -> list[tuple[str, dict[str, Any]]]:
    return [(digest_of(line), json.loads(row_of(line))) for line in batch.lines]


def _was_kept(table: Table, each: Difference, job_id: str, arguments: Arguments) -> bool:
    """Entries of the audit trail are never changed."""
    return (arguments.on_conflict == "skip" or table == AUDIT) and each.import_job_id != job_id
