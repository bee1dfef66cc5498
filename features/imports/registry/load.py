"""Load phase: rows, before images, checkpoint and audit entry in one transaction for each batch, table after
table.

The objects of files are stored before their rows, under keys that a repetition finds again; what an
interruption leaves without a row is removed by `files.reconcile`. The object that an overwritten row had
stays in the store, for the import may be taken back (`features.imports.undo`).
"""

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

import orjson
import structlog

from core.database.client import Database
from core.database.import_table import Written, line_of_json
from core.database.transaction import unit_of_work
from core.jobs import JobContext
from features.audit import api as audit
from features.files import api as files
from features.imports.errors import RowAppeared, RowsExist, SourceChanged, StorageUnavailable
from features.imports.lowdb.spool import REJECTS, Batch, Line, batches, joined
from features.imports.phases.pages import PageBatch, page_batches
from features.imports.phases.rejects import store
from features.imports.phases.rows import Sorted, conflicting, keep_pages, sort_lines, told_of
from features.imports.queries import memory
from features.imports.queries.bulk import BulkTable
from features.imports.registry.contents import ContentFolder, NoContent
from features.imports.registry.judge import open_content, spool_of
from features.imports.registry.schemas import AUDIT, FILES, TABLES, Arguments, Checkpoint, Table
from features.imports.registry.tables import TARGETS, asked, takeover_of
from features.imports.schemas import Told, remembered
from features.imports.settings import ImportSettings
from features.search import api as search

BATCH_TIMEOUT: Final = timedelta(seconds=60)

log = structlog.get_logger(__name__)


async def load(context: JobContext, arguments: Arguments, folder: Path, checkpoint: Checkpoint) -> Checkpoint:
    """Load the spools beyond the checkpoint: each row exactly once, however often interrupted."""
    rows = context.settings.of(ImportSettings).import_batch_rows
    findings = checkpoint.findings
    await context.progress(
        phase="load", done=checkpoint.done, total=findings.accepted, rejected=findings.rejected
    )
    await memory.begin_run(context.db, context.job.id, context.job.kind)
    for batch in batches(folder / REJECTS, checkpoint.rejects_offset, rows=rows):
        await context.raise_if_stopping()
        checkpoint = await _store_rejects(context, batch, checkpoint)
    began_at = time.perf_counter() - checkpoint.seconds
    for table in TABLES:
        if table not in findings.tables:
            continue
        tally = checkpoint.tally(table)
        if arguments.since_last:
            await memory.keep_page(context.db, context.job.id, remembered(TARGETS[table].entity), 0, "[]")
        if table == FILES and tally.offset:
            await _index_again(context, folder, checkpoint)
        remaining = page_batches(
            spool_of(folder, table),
            rows=rows,
            offset=tally.offset,
            position=tally.done,
            remembered=tally.remembered,
        )
        while (page := await asyncio.to_thread(partial(next, remaining, None))) is not None:
            await context.raise_if_stopping()
            checkpoint = await _load_batch(context, arguments, table, page, checkpoint, began_at)
            await context.progress(done=checkpoint.done)
    log.info("import.loaded", **{table: tally.imported for table, tally in checkpoint.tables.items()})
    return checkpoint


async def _store_rejects(context: JobContext, batch: Batch, checkpoint: Checkpoint) -> Checkpoint:
    reached = checkpoint.model_copy(update={"rejects_offset": batch.end})

    async def work(tx: Database) -> None:
        await store(tx, context.job.id, batch)
        await context.checkpoint(tx, reached.model_dump())

    await unit_of_work(context.db, work, timeout=BATCH_TIMEOUT)
    return reached


async def _load_batch(
    context: JobContext,
    arguments: Arguments,
    table: Table,
    batch: PageBatch,
    before: Checkpoint,
    began_at: float,
) -> Checkpoint:
    rows: list[dict[str, Any]] = []
    copied: set[str] = set()
    if table == FILES:
        rows = [json.loads(line.row) for line in batch.records]
        copied = await _copy(context, arguments, batch.records, rows)
        lines = [line._replace(row=line_of_json(row)) for line, row in zip(batch.records, rows, strict=True)]
        batch = replace(batch, records=lines)

    async def work(tx: Database) -> tuple[Written, Checkpoint]:
        written, conflicts = await _write(tx, context.job.id, arguments, table, batch)
        if arguments.on_conflict == "fail" and written.kept and table != AUDIT:
            raise RowsExist(f"{written.kept} rows of {table} came in between; what was loaded before stays")
        if table == FILES:
            await _raise_if_uncopied(context, tx, [*written.inserted, *written.updated], copied)
        if written.inserted or written.updated:
            await audit.record(tx, _entry(context, arguments, table, written))
        tally = before.tally(table)
        counted = tally.model_copy(
            update={
                "offset": batch.end,
                "done": tally.done + len(batch.records),
                "remembered": tally.remembered + len(batch.remembered),
                "imported": tally.imported + len(written.inserted),
                "updated": tally.updated + len(written.updated),
                "unchanged": tally.unchanged + written.unchanged,
                "kept": tally.kept + written.kept,
                "changes": tally.changes
                and tally.changes.with_counts(
                    new=len(written.inserted), changed=len(written.updated), unchanged=written.unchanged
                ).with_conflicts(conflicts),
            }
        )
        reached = before.model_copy(
            update={
                "tables": {**before.tables, table: counted},
                "seconds": time.perf_counter() - began_at,
            }
        )
        await context.checkpoint(tx, reached.model_dump(), done=reached.done)
        return written, reached

    async with context.cache.invalidating(*TARGETS[table].tags):
        written, checkpoint = await unit_of_work(context.db, work, timeout=BATCH_TIMEOUT)
    if table == FILES:
        texts = {row["id"] for row in rows if row["mime_type"] in files.TEXT_TYPES}
        changed = [*(file_id for file_id in written.inserted if file_id in texts), *written.updated]
        await search.index_files(context.db, context.cache, context.settings, changed)
    return checkpoint


async def _write(
    tx: Database, job_id: str, arguments: Arguments, table: Table, batch: PageBatch
) -> tuple[Written, list[Told]]:
    """Write a batch's rows, before images and manifest chunk; returns the conflicts too."""
    target, lines = TARGETS[table], batch.records
    takeover = takeover_of(table, arguments.columns[table])
    if target.reversal is None:  # entries of the audit trail: added once, never changed
        written = await takeover.load(tx, joined(line.row for line in lines), job_id, overwrite=False)
        if arguments.since_last:
            return replace(written, unchanged=written.kept, kept=0), []
        return written, []
    wanted = Sorted(lines, 0, {})
    if arguments.overwrites:
        verdicts = await takeover.verdicts(tx, asked(takeover, lines, since_last=arguments.since_last))
        wanted = await sort_lines(
            tx, job_id, target.entity, target.reversal, lines, verdicts, since_last=arguments.since_last
        )
    rows_json = joined(line.row for line in wanted.wanted)
    written = await takeover.load(tx, rows_json, job_id, overwrite=arguments.overwrites)
    if len(written.updated) > wanted.stored:
        raise RowAppeared
    if arguments.overwrites and isinstance(takeover, BulkTable):
        await takeover.raise_counters(tx, joined(line.row for line in lines))
    ours = [*written.inserted, *written.updated]
    entries = [conflicting(line) if line.id in wanted.conflicts else b"[%b]" % line.proof for line in lines]
    await keep_pages(tx, job_id, target.entity, batch, entries, ours)
    unchanged = len(lines) - len(ours) - written.kept - len(wanted.conflicts)
    return replace(written, unchanged=unchanged), told_of(wanted.conflicts)


async def _copy(
    context: JobContext, arguments: Arguments, lines: Sequence[Line], rows: list[dict[str, Any]]
) -> set[str]:
    """Give each row the key of its object, and store the needed bytes. Returns the keys of these."""
    if arguments.files is None:  # without it preflight accepts no file
        return set()
    needed = await _needed(context, arguments, lines)
    stored = await files.contents_of(context.db, [row["id"] for row in rows])
    folder = await asyncio.to_thread(ContentFolder, arguments.files)
    copied: set[str] = set()
    try:
        for row in rows:
            key = row["object_key"] = files.key_for(context.job.id, str(row["id"]))
            there = stored.get(str(row["id"]))
            if row["id"] not in needed or (there is not None and there.checksum == row["checksum"]):
                continue
            if there is not None and not arguments.overwrites:
                continue
            await context.raise_if_stopping()
            await _copy_one(context, folder, row, key)
            copied.add(key)
    finally:
        folder.close()
    return copied


async def _needed(context: JobContext, arguments: Arguments, lines: Sequence[Line]) -> frozenset[str]:
    """Ids of those files that will be written, as far as is known yet."""
    if not arguments.since_last:
        return frozenset(orjson.loads(line.id) for line in lines)
    takeover = takeover_of(FILES, arguments.columns[FILES])
    verdicts = await takeover.verdicts(context.db, asked(takeover, lines, since_last=True))
    return frozenset(row_id for row_id, verdict in verdicts.items() if verdict in ("new", "changed"))


async def _copy_one(context: JobContext, folder: ContentFolder, row: dict[str, object], key: str) -> None:
    legacy = json.loads(str(row["legacy"] or "{}"))
    values = {"filename": row["filename"], **legacy.get("fields", {}), **legacy.get("original", {})}
    try:
        with await asyncio.to_thread(open_content, folder, values) as file:
            checksum = await files.store(context.settings, key, file)
    except NoContent as error:
        raise SourceChanged(f"The bytes of file {row['id']} are gone since preflight: it {error}") from None
    if checksum != row["checksum"]:
        await files.discard(context.settings, key)
        raise SourceChanged(f"The bytes of file {row['id']} have changed since preflight")


async def _raise_if_uncopied(context: JobContext, tx: Database, written: list[str], copied: set[str]) -> None:
    """Raises StorageUnavailable, so that the job is resumed, if a file was deleted or replaced meanwhile."""
    for file_id, content in (await files.contents_of(tx, written)).items():
        if content.object_key == files.key_for(context.job.id, file_id) and content.object_key not in copied:
            raise StorageUnavailable(f"File {file_id} was changed while it was imported")


async def _index_again(context: JobContext, folder: Path, checkpoint: Checkpoint) -> None:
    """Index the files up to the checkpoint: an interruption may have come before that. Files indexed already
    are not touched.
    """
    end = checkpoint.tally(FILES).offset
    for batch in page_batches(
        spool_of(folder, FILES), rows=context.settings.of(ImportSettings).import_batch_rows
    ):
        rows = [json.loads(line.row) for line in batch.records]
        ids = [row["id"] for row in rows if row["mime_type"] in files.TEXT_TYPES]
        await search.index_files(context.db, context.cache, context.settings, ids)
        await context.raise_if_stopping()
        if batch.end >= end:
            return


def _entry(context: JobContext, arguments: Arguments, table: Table, written: Written) -> audit.AuditEntry:
    return audit.AuditEntry(
        entity=TARGETS[table].entity,
        entity_id=context.job.id,
        action="imported",
        actor=context.job.actor,
        request_id=context.job.request_id,
        changes={
            "source": arguments.source,
            "inserted": len(written.inserted),
            "updated": len(written.updated),
        },
    )
