"""Batches of a spool's lines, each with its position in the source."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import orjson

from features.imports.lowdb.spool import CHANGED, HEAD, NEW, REMEMBERED, TAIL, UNUSABLE, Line, batches, joined


@dataclass(frozen=True, slots=True)
class PageBatch:
    """Consecutive records, the first of which is number `position` of the source; pieces of the text around
    them, from number `pieces` on; records that only earlier sources had, after `remembered_before` such; and
    the offset in the spool after them.
    """

    frame: list[tuple[str, str]]
    records: list[Line]
    remembered: list[Line]
    position: int
    pieces: int
    remembered_before: int
    end: int

    @property
    def accepted(self) -> int:
        return sum(line.kind != UNUSABLE for line in self.records)

    @property
    def loadable(self) -> list[Line]:
        return [line for line in self.records if line.kind in (NEW, CHANGED)]

    @property
    def proofs(self) -> str:
        """Ids and digests of the records that are, or should be, in the table: text of a JSON array."""
        return joined(b"[%b]" % line.proof for line in self.records if line.kind != UNUSABLE)


def page_batches(
    spool: Path, *, rows: int, offset: int = 0, position: int = 0, pieces: int = 0, remembered: int = 0
) -> Iterator[PageBatch]:
    """Batches of the spool from the offset on; the other numbers count what stands before it."""
    before = remembered
    for batch in batches(spool, offset, rows=rows):
        frame: list[tuple[str, str]] = []
        records: list[Line] = []
        earlier: list[Line] = []
        for each in batch.lines:
            kind, _, text = each.partition(b"\t")
            if kind in (HEAD, TAIL):
                frame.append((kind.decode(), orjson.loads(text)))
            else:
                (earlier if kind == REMEMBERED else records).append(Line.read(each))
        yield PageBatch(frame, records, earlier, position, pieces, before, batch.end)
        position += len(records)
        pieces += len(frame)
        before += len(earlier)
