"""Preflight phase: reads and validates the whole source before anything is written."""

import asyncio
import time
from pathlib import Path
from typing import Final

import structlog

from core.errors import Invalid
from core.jobs import JobContext
from features.imports.errors import RowsExist, SourceChanged
from features.imports.pipeline.checkpoint import Checkpoint, Tally
from features.imports.pipeline.previous import recall
from features.imports.pipeline.since_last import earlier_runs, foreseen, left
from features.imports.pipeline.source import Source
from features.imports.pipeline.spool import REJECTS, chunks, joined, spool_of
from features.imports.pipeline.validator import Rejects, Sink
from features.imports.queries.rejects import insert_rejects
from features.imports.schemas import Changes
from features.imports.settings import ImportSettings
from features.imports.storage.writer import SpoolWriter

_NAMED_IDS: Final = 5

log = structlog.get_logger(__name__)


async def examine(context: JobContext, source: Source, *, first: bool) -> Checkpoint:
    """Validate every record; unless it is a dry run the spools in the folder are complete afterwards.

    Raises SourceMalformed, Invalid for too many rejects, or RowsExist for `on_conflict=fail`. `first` is
    false when rows of this very job may be stored already.
    """
    began_at = time.perf_counter()
    arguments, db = source.arguments, context.db
    runs = await earlier_runs(db, source.words.source, source.kinds) if arguments.since_last else []
    rejects = Rejects(await _spool(context, source, source.folder / REJECTS), arguments.max_rejects)
    tables: dict[str, Tally] = {}
    records = 0
    await context.progress(phase="preflight", done=0, rejected=0)
    try:
        for table in source.tables:
            tables[table] = await _examine_table(context, source, table, rejects, runs, records, first=first)
            records += tables[table].records
            if rejects.too_many:
                break
        rejects_sha256 = await asyncio.to_thread(rejects.finish)
    finally:
        await asyncio.to_thread(rejects.close)
        source.close()
    if rejects.too_many:
        await _give_up(context, source, rejects)
    if source.sent not in (None, source.sha256):
        raise SourceChanged(f"{arguments.filename} has changed since it was sent; begin a new import")
    found = Checkpoint(
        tables=tables,
        sha256=source.sha256,
        bytes=source.bytes,
        ignored=source.ignored,
        samples=rejects.samples,
        rejects_sha256=rejects_sha256,
        seconds={"preflight": time.perf_counter() - began_at},
    )
    log.info("import.preflight_done", records=records, rejected=found.count("rejected"), sha256=found.sha256)
    return found


async def _spool(context: JobContext, source: Source, path: Path) -> SpoolWriter | None:
    if source.arguments.dry_run:
        return None
    return await asyncio.to_thread(SpoolWriter, path, context.job.fencing_token)


async def _examine_table(
    context: JobContext,
    source: Source,
    table: str,
    rejects: Rejects,
    runs: list[str],
    before: int,
    *,
    first: bool,
) -> Tally:
    """Counts of the table's records, of which so many others come `before`."""
    arguments, rows, db = source.arguments, source.tables[table], context.db
    previous = await recall(db, runs, rows.declared.entity) if runs else None
    changes = Changes(previous=runs[0]) if runs else None
    spool = await _spool(context, source, spool_of(source.folder, table))
    sink = Sink(rejects, spool, previous, collects=arguments.dry_run and bool(runs))
    existing, named = 0, list[str]()
    try:
        validator = await asyncio.to_thread(source.validator, table, sink, before)
        async for some in validator.found(db):
            if first and (arguments.dry_run or arguments.on_conflict == "fail"):
                stored = await rows.existing(db, some.ids)
                existing, named = existing + len(stored), (named + stored)[:_NAMED_IDS]
            if changes is not None and some.lines:
                changes = await foreseen(db, rows, some.lines, changes)
            done, total = before + validator.validated, before + validator.expected
            await context.progress(done=done, total=total, rejected=rejects.faulty)
            await context.raise_if_stopping()
            if rejects.too_many:
                break
        if rows.reversal is not None:  # or else rows are only ever added
            if arguments.on_conflict == "fail" and existing and not rejects.too_many:
                raise RowsExist(
                    f"{existing} {source.rows_of(table)} exist already, for example {', '.join(named)}; "
                    "nothing was imported"
                )
            if previous is not None and changes is not None:
                async for some_left in left(db, runs, rows, previous):
                    # The next import must know these records too.
                    await asyncio.to_thread(validator.remember, [each[:2] for each in some_left])
                    gone = [row_id for row_id, _, vanished in some_left if vanished]
                    changes = changes.plus(vanished=len(gone), first_vanished=gone)
                    await context.raise_if_stopping()
        return Tally(
            records=validator.records,
            superseded=validator.superseded,
            rejected=validator.rejected,
            existing=existing if arguments.dry_run else None,
            translated=validator.translated,
            adapted=validator.adapted,
            since_last=changes,
            first_rows=validator.first_rows if arguments.dry_run else [],
            spool_sha256="" if spool is None else await asyncio.to_thread(spool.finish),
        )
    finally:
        if spool is not None:
            await asyncio.to_thread(spool.close)


async def _give_up(context: JobContext, source: Source, rejects: Rejects) -> None:
    """Store the rejects, then raise Invalid: they say what has to be mended."""
    if not source.arguments.dry_run:
        rows = context.settings.of(ImportSettings).import_batch_rows
        for chunk in chunks(source.folder / REJECTS, 0, rows=rows):
            await insert_rejects(context.db, context.job.id, joined(chunk.lines))
    first = rejects.samples[0]
    raise Invalid(
        f"More than {source.arguments.max_rejects} {source.words.records} cannot be imported, "
        f"so nothing was; the first is {first.path}: {first.reason}",
        code="imports.too_many_rejects",
    )
