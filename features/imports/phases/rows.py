"""Writer of a batch: its rows, their before images, and its chunk of the source's manifest."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import orjson

from core.database.client import Database
from core.database.import_table import Verdict
from features.imports.errors import RowAppeared
from features.imports.lowdb.spool import CHANGED, Line, joined
from features.imports.phases.pages import PageBatch
from features.imports.queries import memory
from features.imports.queries.reversal import ReversibleTable
from features.imports.schemas import ENTITY, UNKNOWN, Arguments, Told, remembered
from features.items import api as items

ITEMS: Final = ReversibleTable(items.TAKEOVER)

REASONS: Final[Mapping[Verdict, str]] = {
    "deleted": "was deleted here and has changed in the source",
    "edited": "has changed here and in the source",
    "taken": "is new in the source, but another one is stored under this id",
}


@dataclass(frozen=True, slots=True)
class Outcome:
    counts: items.LoadCounts
    conflicts: list[Told]


@dataclass(frozen=True, slots=True)
class Sorted:
    """Lines to be written, the number of them whose rows are stored (their before images are kept), and the
    conflicts by id.
    """

    wanted: list[Line]
    stored: int
    conflicts: dict[bytes, str]


async def write(tx: Database, job_id: str, arguments: Arguments, batch: PageBatch) -> Outcome:
    """Write rows, before images and manifest chunk in the caller's transaction: all or none."""
    sorted_lines = Sorted(batch.loadable, 0, {})
    if arguments.overwrites and batch.loadable:
        asked = [_asked(line, since_last=arguments.since_last) for line in batch.loadable]
        verdicts = await items.verdicts(tx, joined(asked))
        sorted_lines = await sort_lines(
            tx, job_id, ENTITY, ITEMS, batch.loadable, verdicts, since_last=arguments.since_last
        )
    lines, conflicts = sorted_lines.wanted, sorted_lines.conflicts
    inserted = updated = left = 0
    written: list[str] | None = []
    if lines:
        mode: items.OnConflict = "overwrite" if arguments.overwrites else arguments.on_conflict
        counts = await items.load_rows(tx, joined(line.row for line in lines), job_id, mode)
        if counts.updated > sorted_lines.stored:
            raise RowAppeared
        inserted, updated, left, written = counts.inserted, counts.updated, counts.kept, counts.written
        if written is None and len(lines) < batch.accepted:
            written = [orjson.loads(line.id) for line in lines]
    for number, (part, text) in enumerate(batch.frame, start=batch.pieces):
        await memory.keep_page(tx, job_id, part, number, text)
    entries = [_entry(line, conflicts) for line in batch.records]
    await keep_pages(tx, job_id, ENTITY, batch, entries, written)
    unchanged = batch.accepted - inserted - updated - left - len(conflicts)
    return Outcome(items.LoadCounts(inserted, updated, unchanged, left, written), told_of(conflicts))


async def sort_lines(
    tx: Database,
    job_id: str,
    entity: str,
    reversal: ReversibleTable,
    lines: Sequence[Line],
    verdicts: Mapping[str, Verdict],
    *,
    since_last: bool,
) -> Sorted:
    """Sort lines by verdict into lines to write and conflicts; keeps before images of rows to overwrite."""
    wanted: list[Line] = []
    overwritten: list[str] = []
    conflicts: dict[bytes, str] = {}
    for line in lines:
        row_id = orjson.loads(line.id)
        verdict = verdicts[row_id]
        if since_last and verdict in REASONS:
            conflicts[line.id] = REASONS[verdict]
        elif verdict != "same":
            wanted.append(line)
            if verdict != "new":
                overwritten.append(row_id)
    if overwritten:
        await memory.keep_images(tx, job_id, entity, await reversal.before(tx, overwritten))
    return Sorted(wanted, len(overwritten), conflicts)


def told_of(conflicts: Mapping[bytes, str]) -> list[Told]:
    return [Told(id=orjson.loads(row_id), reason=reason) for row_id, reason in conflicts.items()]


async def keep_pages(
    tx: Database,
    job_id: str,
    entity: str,
    batch: PageBatch,
    entries: Sequence[bytes],
    written: list[str] | None,
) -> None:
    """Store the batch's manifest chunks. `entries`: JSON of an `Entry` for each record."""
    if batch.records:
        await memory.keep_page(tx, job_id, entity, batch.position, joined(entries), written)
    if batch.remembered:
        content = joined(b"[%b]" % line.proof for line in batch.remembered)
        await memory.keep_page(tx, job_id, remembered(entity), batch.remembered_before + 1, content)


def _asked(line: Line, *, since_last: bool) -> bytes:
    base = b'"%b"' % line.base if line.kind == CHANGED else b"null"
    content = items.content_digest(line.row).encode() if since_last else b""
    return b'{"id":%b,"digest":"%b","content":"%b","base":%b}' % (line.id, line.digest, content, base)


def _entry(line: Line, conflicts: Mapping[bytes, str]) -> bytes:
    """JSON of the record's `Entry`. Trailing fields that are null are left out."""
    return conflicting(line) if line.id in conflicts else b"[%b%b]" % (line.proof, line.rest)


def conflicting(line: Line) -> bytes:
    """JSON of a conflict's `Entry`, with the digest from before: it stays one until both sides agree."""
    return b'[%b,"%b"]' % (line.id, line.base or UNKNOWN.encode())
