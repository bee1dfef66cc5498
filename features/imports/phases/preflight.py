"""Preflight phase: reads and validates the whole source before anything is written."""

import asyncio
from pathlib import Path
from typing import Final

import structlog

from core.jobs import JobContext
from features.imports.errors import ItemsExist, SourceChanged, TooManyRejects
from features.imports.lowdb.judge import Judge
from features.imports.lowdb.previous import Previous
from features.imports.lowdb.spool import RECORDS, REJECTS, SpoolWriter, batches, joined
from features.imports.phases.changes import Recalled, earlier_runs, foreseen, recall_all
from features.imports.phases.rejects import store
from features.imports.schemas import ENTITY, KIND, Arguments, Changes, Findings, Sample
from features.imports.settings import ImportSettings
from features.imports.storage.folders import storing
from features.items import api as items

_IDS_PER_QUESTION: Final = 5000
_NAMED_IDS: Final = 5

log = structlog.get_logger(__name__)


async def examine(
    context: JobContext, arguments: Arguments, source: Path, folder: Path, *, first: bool
) -> tuple[Findings, list[Sample]]:
    """Validate every record; unless it is a dry run the spools in `folder` are complete afterwards.

    Raises SourceMalformed, TooManyRejects, or ItemsExist for `on_conflict=fail`. `first` is false when rows
    of this very job may be stored already.
    """
    before, changes = None, None
    if arguments.since_last:
        runs = await earlier_runs(context.db, "LowDB file", KIND)
        before, changes = await recall_all(context.db, runs, ENTITY), Changes(previous=runs[0])
    previous = None if before is None else before.records
    judge = await asyncio.to_thread(_open, arguments, source, folder, context.job.fencing_token, previous)
    ask = first and (arguments.dry_run or arguments.on_conflict == "fail")
    existing = 0
    conflicts: list[str] = []
    await context.progress(phase="preflight", done=0, rejected=0)
    try:
        ended = False
        while not ended:
            found = await asyncio.to_thread(judge.step)
            ended = found.ended
            if ask:
                stored = await _stored(context, found.ids)
                existing += len(stored)
                conflicts = (conflicts + stored)[:_NAMED_IDS]
            if arguments.dry_run and changes is not None and found.changes:
                changes = foreseen(changes, await items.verdicts(context.db, joined(found.changes)))
            await context.progress(
                phase="preflight", done=judge.records, total=judge.expected_records, rejected=judge.rejected
            )
            await context.raise_if_stopping()
        if before is not None and changes is not None:
            changes = changes.with_counts(unchanged=judge.unchanged if arguments.dry_run else 0)
            changes = await _remember(context, before, changes, judge)
        findings = await asyncio.to_thread(storing, lambda: judge.findings(existing, changes))
    finally:
        await asyncio.to_thread(judge.close)
    if judge.too_many:
        await _give_up(context, arguments, folder, judge)
    if arguments.on_conflict == "fail" and existing:
        raise ItemsExist(
            f"{existing} items exist already, for example {', '.join(conflicts)}; nothing was imported"
        )
    if arguments.sha256 not in (None, findings.sha256):
        raise SourceChanged(f"{arguments.filename} is not what was uploaded; send it again")
    log.info(
        "import.preflight_done", records=findings.records, rejected=findings.rejected, sha256=findings.sha256
    )
    return findings, judge.samples


def _open(arguments: Arguments, source: Path, folder: Path, token: int, previous: Previous | None) -> Judge:
    if arguments.dry_run:
        return Judge(source, max_rejects=arguments.max_rejects, previous=previous)
    return Judge(
        source,
        records=storing(lambda: SpoolWriter(folder / RECORDS, token)),
        rejects=storing(lambda: SpoolWriter(folder / REJECTS, token)),
        max_rejects=arguments.max_rejects,
        previous=previous,
    )


async def _remember(context: JobContext, before: Recalled, changes: Changes, judge: Judge) -> Changes:
    """Write records that are known but missing in the source to the spool: the next import must know them
    too. Returns the changes with those that have vanished.
    """
    async for some in before.left(context.db, items.existing_ids):
        await asyncio.to_thread(judge.remember, [(identifier, digest) for identifier, digest, _ in some])
        changes = changes.with_vanished([identifier for identifier, _, vanished in some if vanished])
        await context.raise_if_stopping()
    return changes


async def _stored(context: JobContext, ids: list[str]) -> list[str]:
    found: list[str] = []
    for start in range(0, len(ids), _IDS_PER_QUESTION):
        found += await items.existing_ids(context.db, ids[start : start + _IDS_PER_QUESTION])
    return found


async def _give_up(context: JobContext, arguments: Arguments, folder: Path, judge: Judge) -> None:
    """Store the rejects, then raise TooManyRejects: they say what has to be mended."""
    if not arguments.dry_run:
        for batch in batches(folder / REJECTS, 0, rows=context.settings.of(ImportSettings).import_batch_rows):
            await store(context.db, context.job.id, batch)
    first = judge.samples[0]
    raise TooManyRejects(
        f"More than {arguments.max_rejects} records cannot be imported, so nothing was; "
        f"the first is {first.path}: {first.reason}"
    )
