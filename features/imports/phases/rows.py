"""Writes a batch: its rows, what they were before, and the page of the source that they came from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import orjson

from core.database.client import Database
from features.imports.errors import RowAppeared
from features.imports.lowdb.spool import CHANGED, Line, joined
from features.imports.phases.pages import PageBatch
from features.imports.queries import memory
from features.imports.schemas import ENTITY, REMEMBERED, UNKNOWN, Arguments, Told
from features.items import api as items

REASONS: Final[Mapping[items.Verdict, str]] = {
    "deleted": "was deleted here and has changed in the source",
    "edited": "has changed here and in the source",
    "taken": "is new in the source, but another one is stored under this id",
}


@dataclass(frozen=True, slots=True)
class Outcome:
    counts: items.LoadCounts
    conflicts: list[Told]


async def write(tx: Database, job_id: str, arguments: Arguments, batch: PageBatch) -> Outcome:
    """Rows, images and page belong to one transaction: none of them is ever without the others."""
    lines, conflicts, known = batch.loadable, dict[bytes, str](), 0
    overwrite = arguments.since_last or arguments.on_conflict == "overwrite"
    if overwrite and lines:
        lines, conflicts, known = await _sorted(tx, job_id, arguments, lines)
    inserted = updated = kept = 0
    written: list[str] | None = []
    if lines:
        rows_json = joined(line.row for line in lines)
        mode: items.OnConflict = "overwrite" if overwrite else arguments.on_conflict
        counts = await items.load_rows(tx, rows_json, job_id, mode)
        if counts.updated > known:
            raise RowAppeared
        inserted, updated, kept, written = counts.inserted, counts.updated, counts.kept, counts.written
        if written is None and len(lines) < batch.accepted:
            written = [orjson.loads(line.id) for line in lines]
    await _keep_page(tx, job_id, batch, conflicts, written)
    unchanged = batch.accepted - inserted - updated - kept - len(conflicts)
    told = [Told(id=orjson.loads(row_id), reason=reason) for row_id, reason in conflicts.items()]
    return Outcome(items.LoadCounts(inserted, updated, unchanged, kept, written), told)


async def _sorted(
    tx: Database, job_id: str, arguments: Arguments, lines: Sequence[Line]
) -> tuple[list[Line], dict[bytes, str], int]:
    """The lines that are to be written, with the rows they will overwrite put aside; the conflicts by id; and
    how many rows were put aside.
    """
    verdicts = await items.verdicts(
        tx, joined(asked(line, since_last=arguments.since_last) for line in lines)
    )
    wanted: list[Line] = []
    overwritten: list[str] = []
    conflicts: dict[bytes, str] = {}
    for line in lines:
        row_id = orjson.loads(line.id)
        verdict = verdicts[row_id]
        if arguments.since_last and verdict in REASONS:
            conflicts[line.id] = REASONS[verdict]
        elif verdict != "same":
            wanted.append(line)
            if verdict != "new":
                overwritten.append(row_id)
    if overwritten:
        await memory.keep_images(tx, job_id, ENTITY, await items.REVERSAL.before(tx, overwritten))
    return wanted, conflicts, len(overwritten)


def asked(line: Line, *, since_last: bool) -> bytes:
    base = b'"%b"' % line.base if line.kind == CHANGED else b"null"
    content = items.content_digest(line.row).encode() if since_last else b""
    return b'{"id":%b,"digest":"%b","content":"%b","base":%b}' % (line.id, line.digest, content, base)


async def _keep_page(
    tx: Database, job_id: str, batch: PageBatch, conflicts: Mapping[bytes, str], written: list[str] | None
) -> None:
    for number, (part, text) in enumerate(batch.frame, start=batch.pieces):
        await memory.keep_page(tx, job_id, part, number, text)
    if batch.records:
        content = joined(_entry(line, conflicts) for line in batch.records)
        await memory.keep_page(tx, job_id, ENTITY, batch.position, content, written)
    if batch.remembered:
        content = joined(b"[%b]" % line.proof for line in batch.remembered)
        await memory.keep_page(tx, job_id, REMEMBERED, batch.remembered_before + 1, content)


def _entry(line: Line, conflicts: Mapping[bytes, str]) -> bytes:
    """The JSON of an `Entry`, its last fields left out when they are null."""
    if conflicts and line.id in conflicts:
        # A conflict stays one until both sides agree, so what is remembered is the state before it.
        return b'[%b,"%b"]' % (line.id, line.base or UNKNOWN.encode())
    return b"[%b%b]" % (line.proof, line.rest)
