"""Verify phase: compares every row of the source with its row by digest, every object by checksum."""

import asyncio
import json
import time
from functools import partial
from pathlib import Path
from typing import Any, Final

import structlog

from core.jobs import JobContext, JobFailed
from features.files import api as files
from features.imports.phases.pages import PageBatch, page_batches
from features.imports.phases.verify import explain
from features.imports.registry.judge import spool_of
from features.imports.registry.schemas import AUDIT, FILES, TABLES, Arguments, Checked, Checkpoint, Table
from features.imports.registry.tables import TARGETS, takeover_of
from features.imports.settings import ImportSettings

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
    """Compare all rows, and read all bytes that were copied again. Returns the outcome by table and the
    seconds it took.

    Raises JobFailed if anything is missing or differs without a reason.
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
        remaining = page_batches(
            spool_of(folder, table), rows=context.settings.of(ImportSettings).import_batch_rows
        )
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
    context: JobContext, arguments: Arguments, table: Table, batch: PageBatch, tally: _Tally
) -> None:
    proofs = await asyncio.to_thread(_proofs, batch)
    differences = await takeover_of(table, arguments.columns[table]).compare(context.db, proofs)
    skips = arguments.on_conflict == "skip" or table == AUDIT  # entries of the trail are never changed
    reasons = await explain(context, TARGETS[table].entity, batch, differences, arguments, skips=skips)
    tally.kept += len(reasons.left_alone)
    tally.changed_since += reasons.changed_since
    tally.wrong += [f"{table} {each}" for each in reasons.wrong]
    if table == FILES:
        different = {each.id for each in differences}
        await _compare_contents(
            context, [row["id"] for _, row in proofs if row["id"] not in different], tally
        )
    tally.done += len(proofs)


async def _compare_contents(context: JobContext, ids: list[str], tally: _Tally) -> None:
    """Compare the bytes of the objects that this job stored; other objects were checked when they came."""
    for file_id, content in (await files.contents_of(context.db, ids)).items():
        if content.object_key != files.key_for(context.job.id, file_id):
            continue
        await context.raise_if_stopping()
        if not await files.holds(context.settings, content):
            tally.wrong.append(f"{FILES} {file_id} (other bytes)")


def _proofs(batch: PageBatch) -> list[tuple[str, dict[str, Any]]]:
    return [(line.rest.decode(), json.loads(line.row)) for line in batch.records]
