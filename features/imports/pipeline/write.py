"""Writer of a batch: its rows, their before images, and its chunk of the source's manifest."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import orjson

from core.database.client import Database
from core.database.errors import WriteConflict
from features.imports.errors import RowsExist
from features.imports.pipeline.since_last import REASONS, verdicts_on
from features.imports.pipeline.source import Source
from features.imports.pipeline.spool import Batch, Line, joined
from features.imports.queries import journal
from features.imports.queries.bulk import Written
from features.imports.schemas import RowReason, remembered


async def write(
    tx: Database, job_id: str, source: Source, table: str, batch: Batch
) -> tuple[Written, list[RowReason]]:
    """Write rows, before images and manifest chunk in the caller's transaction: all or none. Returns what was
    written of all records, and the conflicts. Raises RowsExist for `on_conflict=fail`.
    """
    arguments, rows = source.arguments, source.tables[table]
    lines, accepted = [line for line in batch.accepted if line.row], batch.accepted
    overwrite = arguments.overwrites and rows.reversal is not None
    wanted, overwritten, conflicts = lines, 0, dict[bytes, str]()
    if overwrite and lines:
        wanted, overwritten, conflicts = await _wanted(tx, job_id, source, table, lines)
    written = Written()
    if wanted:
        written = await rows.load(tx, joined(line.row for line in wanted), job_id, overwrite=overwrite)
    if len(written.updated) > overwritten:
        # One has just appeared, and is overwritten without an image of it: the batch is tried again.
        raise WriteConflict("A row was added while it was imported; try again")
    if arguments.on_conflict == "fail" and written.kept and rows.reversal is not None:
        stored = await rows.existing(tx, [line.key for line in wanted], other_than_job=job_id)
        if stored:
            raise RowsExist(
                f"{len(stored)} {source.rows_of(table)} came in between, for example "
                f"{', '.join(stored[:5])}; what was loaded before stays"
            )
    if overwrite and lines and rows.declared.counters:
        await rows.raise_counters(tx, joined(line.row for line in lines))
    ids = written.written
    if ids is None and len(wanted) < len(accepted):
        ids = [line.key for line in wanted]
    if rows.reversal is not None:
        await _add_chunks(tx, job_id, rows.declared.entity, batch, conflicts, ids)
    kept = 0 if arguments.since_last else written.kept
    unchanged = len(accepted) - written.inserted - len(written.updated) - kept - len(conflicts)
    reasons = [RowReason(id=orjson.loads(row_id), reason=reason) for row_id, reason in conflicts.items()]
    return replace(written, written=ids, unchanged=unchanged, kept=kept), reasons


async def _wanted(
    tx: Database, job_id: str, source: Source, table: str, lines: Sequence[Line]
) -> tuple[list[Line], int, dict[bytes, str]]:
    """Lines to write, how many of them have stored rows (whose images it keeps), and conflicts by id."""
    rows, since_last = source.tables[table], source.arguments.since_last
    verdicts = await verdicts_on(tx, rows, lines, since_last=since_last)
    wanted: list[Line] = []
    overwritten: list[str] = []
    conflicts: dict[bytes, str] = {}
    for line in lines:
        row_id = line.key
        verdict = verdicts[row_id]
        if since_last and verdict in REASONS:
            conflicts[line.id] = REASONS[verdict]
        elif verdict != "same":
            wanted.append(line)
            if verdict != "new":
                overwritten.append(row_id)
    if overwritten and rows.reversal is not None:
        images = await rows.reversal.before(tx, overwritten)
        await journal.keep_images(tx, job_id, rows.declared.entity, images)
    return wanted, len(overwritten), conflicts


async def _add_chunks(
    tx: Database,
    job_id: str,
    entity: str,
    batch: Batch,
    conflicts: Mapping[bytes, str],
    written: list[str] | None,
) -> None:
    """Store the batch's manifest chunks: an `Entry` for each record, without the fields at its end that are
    null. That of a conflict has the digest from before: it stays one until both sides agree.
    """
    for number, (part, text) in enumerate(batch.frame, start=batch.begin.lines):
        await journal.add_chunk(tx, job_id, part, number, text)
    if batch.records:
        entries = joined(
            b'[%b,"%b"]' % (line.id, line.base or journal.UNKNOWN.encode())
            if conflicts and line.id in conflicts
            else b"[%b%b]" % (line.pair, line.rest)
            for line in batch.records
        )
        await journal.add_chunk(tx, job_id, entity, batch.begin.records, entries, written)
    if batch.remembered:
        content = joined(b"[%b]" % line.pair for line in batch.remembered)
        await journal.add_chunk(tx, job_id, remembered(entity), batch.begin.lines + 1, content)
