"""The spool's lines in batches, each with its place in the source."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import orjson

from features.imports.lowdb.spool import CHANGED, HEAD, NEW, REMEMBERED, TAIL, UNUSABLE, Line, batches, joined


@dataclass(frozen=True, slots=True)
class PageBatch:
    """Some records in their order, the first of which is number `position` of the source; pieces of the text
    around them, the first of which is number `pieces`; records that only earlier sources had, likewise; and
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
        """Ids and digests of the records that are, or should be, in the table: the text of a JSON array."""
        return joined(b"[%b]" % line.proof for line in self.records if line.kind != UNUSABLE)


def page_batches(
    spool: Path, *, rows: int, offset: int = 0, position: int = 0, pieces: int = 0, remembered: int = 0
) -> Iterator[PageBatch]:
    """What the spool holds from the offset on; the other numbers tell how much of each stands before it."""
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
