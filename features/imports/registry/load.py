"""Load: rows, what they were before, checkpoint and audit entry in one transaction for each batch, table
after table.

The objects of files are stored before their rows, under keys that a repetition finds again; what an
interruption leaves without a row is removed by `files.reconcile`. The object that an overwritten row had
stays in the store, for the import may be taken back (`features.imports.undo`).
"""

import asyncio
import json
import time
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

import structlog

from core.database.bulk import Written, line_of_json
from core.database.client import Database
from core.database.transaction import unit_of_work
from core.jobs import JobContext
from features.audit import api as audit
from features.files import api as files
from features.imports.errors import RowAppeared, RowsExist, SourceChanged, StorageUnavailable
from features.imports.lowdb.spool import REJECTS, Batch, batches, row_of
from features.imports.phases.rejects import store
from features.imports.queries import memory
from features.imports.registry.contents import ContentFolder, NoContent
from features.imports.registry.judge import open_content, spool_of
from features.imports.registry.schemas import AUDIT, FILES, TABLES, Arguments, Checkpoint, Table
from features.imports.registry.tables import TARGETS, takeover_of
from features.search import api as search

BATCH_TIMEOUT: Final = timedelta(seconds=60)

log = structlog.get_logger(__name__)


async def load(context: JobContext, arguments: Arguments, folder: Path, checkpoint: Checkpoint) -> Checkpoint:
    """Load what the spools hold beyond the checkpoint: each row exactly once, however often interrupted."""
    rows = context.settings.import_batch_rows
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
        if table == FILES and checkpoint.tally(table).offset:
            await _index_again(context, folder, checkpoint)
        remaining = batches(spool_of(folder, table), checkpoint.tally(table).offset, rows=rows)
        while (batch_or_none := await asyncio.to_thread(partial(next, remaining, None))) is not None:
            await context.raise_if_stopping()
            checkpoint = await _load_batch(context, arguments, table, batch_or_none, checkpoint, began_at)
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
    batch: Batch,
    before: Checkpoint,
    began_at: float,
) -> Checkpoint:
    lines = [row_of(line) for line in batch.lines]
    rows: list[dict[str, Any]] = []
    if table == FILES or arguments.on_conflict == "overwrite":
        rows = [json.loads(line) for line in lines]
    copied: set[str] = set()
    if table == FILES:
        copied = await _copy(context, arguments, rows)
        lines = [line_of_json(row) for row in rows]
    rows_json = f"[{b','.join(lines).decode()}]"

    async def work(tx: Database) -> tuple[Written, Checkpoint]:
        ids = [row["id"] for row in rows]
        number = before.tally(table).done
        written = await _write(tx, context.job.id, arguments, table, rows_json, ids, number)
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
                "done": tally.done + len(lines),
                "imported": tally.imported + len(written.inserted),
                "updated": tally.updated + len(written.updated),
                "unchanged": tally.unchanged + written.unchanged,
                "kept": tally.kept + written.kept,
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
    tx: Database,
    job_id: str,
    arguments: Arguments,
    table: Table,
    rows_json: str,
    ids: list[str],
    number: int,
) -> Written:
    """The rows, and what it takes to take them back; `number`: how many rows of the table came before."""
    target, overwrite = TARGETS[table], arguments.on_conflict == "overwrite"
    takeover = takeover_of(table, arguments.columns[table])
    if target.reversal is None:
        return await takeover.load(tx, rows_json, job_id, overwrite=overwrite)
    images = {image.id: image for image in await target.reversal.before(tx, ids)} if overwrite else {}
    written = await takeover.load(tx, rows_json, job_id, overwrite=overwrite)
    if not images.keys() >= set(written.updated):
        raise RowAppeared
    await memory.keep_images(tx, job_id, target.entity, [images[row_id] for row_id in written.updated])
    if ours := [*written.inserted, *written.updated]:
        await memory.keep_page(tx, job_id, target.entity, number, "[]", ours)
    return written


async def _copy(context: JobContext, arguments: Arguments, rows: list[dict[str, Any]]) -> set[str]:
    """Give each row the key of its object; store those bytes that will be needed. The keys of these."""
    assert arguments.files is not None  # without it preflight accepts no file
    stored = await files.contents_of(context.db, [row["id"] for row in rows])
    folder = await asyncio.to_thread(ContentFolder, arguments.files)
    copied: set[str] = set()
    try:
        for row in rows:
            key = row["object_key"] = files.key_for(context.job.id, str(row["id"]))
            there = stored.get(str(row["id"]))
            if there is not None and there.checksum == row["checksum"]:
                continue
            if there is not None and arguments.on_conflict == "skip":
                continue
            await context.raise_if_stopping()
            await _copy_one(context, folder, row, key)
            copied.add(key)
    finally:
        folder.close()
    return copied


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
    """A file that somebody deleted or replaced since it was looked at: the job is picked up again."""
    for file_id, content in (await files.contents_of(tx, written)).items():
        if content.object_key == files.key_for(context.job.id, file_id) and content.object_key not in copied:
            raise StorageUnavailable(f"File {file_id} was changed while it was imported")


async def _index_again(context: JobContext, folder: Path, checkpoint: Checkpoint) -> None:
    """The batch before an interruption may not have come that far. What is indexed already is not touched."""
    end = checkpoint.tally(FILES).offset
    for batch in batches(spool_of(folder, FILES), 0, rows=context.settings.import_batch_rows):
        rows = [json.loads(row_of(line)) for line in batch.lines]
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
