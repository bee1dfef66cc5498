"""Validator of the records of a LowDB file."""

import asyncio
import hashlib
import json
import re
import time
from collections.abc import AsyncIterator
from typing import BinaryIO, Final

import orjson

from core.database.client import Database
from core.http.request.fields import fault_of
from features.imports.lowdb.item import InvalidLegacyItem, LegacyItem
from features.imports.lowdb.reader import LowDbReader, Record
from features.imports.lowdb.text import is_written_alike, lead_of, margin_of, plain_records
from features.imports.pipeline.identifiers import SeenIds
from features.imports.pipeline.spool import HEAD, TAIL, UNUSABLE
from features.imports.pipeline.validator import Fault, Found, Sink, Validator

SLICE_S: Final = 0.05
_line_break = re.compile(r"[\r\n\t][ \r\n\t]*")
_beyond_ascii = re.compile(r"[^\x00-\x7f]")


class ItemValidator(Validator):
    """Validator of the records of a file of so many bytes: reads it once, a slice at a time."""

    def __init__(self, file: BinaryIO, size: int, sink: Sink) -> None:
        super().__init__(sink)
        self.reader = LowDbReader(file, outside=self._tell)
        self._size = size
        self._margin = ""
        self._one_by_one_until = 0
        self._remaining = iter(self.reader)
        self._seen = SeenIds()
        self._seen_unusable = SeenIds()

    @property
    def expected(self) -> int:
        """Estimated number of records, from the share of the file that has been read."""
        return max(self.records, round(self.records * self._size / max(self.reader.consumed, 1)))

    async def found(self, db: Database) -> AsyncIterator[Found]:
        ended = False
        while not ended:
            found, ended = await asyncio.to_thread(self.step)
            yield found

    def step(self) -> tuple[Found, bool]:
        """Valid ones among the records of about 50 ms, and True at the end."""
        until = time.perf_counter() + SLICE_S
        ids: list[str] = []
        ended = True
        for record in self._remaining:
            self._validate(record, ids)
            if self.sink.rejects.too_many:
                break
            self._validate_run(ids)
            if time.perf_counter() > until:
                ended = False
                break
        self.validated = self.records
        self.flush()
        return Found(ids, self.collected()), ended

    def _validate(self, record: Record, ids: list[str]) -> None:
        self.records += 1
        try:
            item = LegacyItem.parse(record.value)
        except InvalidLegacyItem as error:
            self._reject(record, [(each.field, each.message) for each in error.details])
            return
        if record.flaws:
            self._reject(record, [])
        elif (first := self._seen.add(item.id, record.position)) is not None:
            self._reject(record, [("id", f"is already used by {self.reader.path(first)}")])
        else:
            ids.append(item.id)
            alike = is_written_alike(item, record.value, self.reader.source_text(), self._margin)
            self._accept(item, self._rest(record, alike=alike))

    def _validate_run(self, ids: list[str]) -> None:
        """Accept a whole run of the records that follow, if they are written as the old server writes them:
        that is most of most files. If there is any fault or a duplicate id, nothing happens here, and those
        records are validated one by one.
        """
        if self.records < self._one_by_one_until:
            return
        text = self.reader.ahead(self._margin)
        if not text:
            return
        records = plain_records(text, self._margin)
        items = None if records is None else LegacyItem.parse_all(records)
        if items is None or not self._seen.add_all([item.id for item in items], self.records):
            self._one_by_one_until = self.records + text.count(f"\n{self._margin}{{")
            return
        for item in items:
            ids.append(item.id)
            self._accept(item, b"")
        self.records += len(items)
        self.reader.step_over(text, len(items))

    def _accept(self, item: LegacyItem, rest: bytes) -> None:
        """Emit the line of a valid record. `rest`: columns of its text (`_rest`)."""
        if self.sink.spool is None and not self.sink.collects:
            return
        row = item.row()
        self.accept(item.id, hashlib.sha256(row).hexdigest(), row, rest)

    def _rest(self, record: Record, *, alike: bool) -> bytes:
        """Last two fields of the record's `Entry`, its text and lead, as far as they are unusual."""
        lead = self.reader.lead
        usual = lead == lead_of(self._margin, first=record.position == 0)
        if alike and usual:
            return b""
        text = b",null" if alike else b"," + orjson.dumps(self.reader.source_text())
        return text if usual else b"%b,%b" % (text, orjson.dumps(lead))

    def _tell(self, text: str) -> None:
        """Write text around the list to the spool at once: it may be longer than memory."""
        if not self._margin:
            self._margin = margin_of(text)
        self._lines.append(b"%b\t%b" % (TAIL if self.reader.entered else HEAD, orjson.dumps(text)))
        self.flush()

    def _reject(self, record: Record, faults: list[Fault]) -> None:
        identifier = identifier_of(record.value)
        self.reject(
            self.reader.path(record.position),
            record.position,
            lambda: as_ascii_line(self.reader.source_text()),
            [*(("record", flaw) for flaw in record.flaws), *faults],
            identifier,
        )
        if self.sink.spool is None:
            return
        own = identifier is not None and identifier not in self._seen
        if not own or self._seen_unusable.add(identifier or "", record.position) is not None:
            identifier = None
        pair = b"%b,null" % orjson.dumps(identifier)
        self._lines.append(b"%b\t%b\t%b" % (UNUSABLE, pair, self._rest(record, alike=False)))


def identifier_of(record: object) -> str | None:
    """Id of a record that may be unusable, None if no item could have it."""
    identifier = record.get("id") if isinstance(record, dict) else None
    if not isinstance(identifier, str) or not identifier or fault_of(identifier) is not None:
        return None
    return identifier


def as_ascii_line(text: str) -> str:
    """The same JSON in ASCII and on one line. Beyond ASCII there are only characters inside of strings, and
    control characters are only between tokens, so neither change alters its meaning.

    `NaN` and `Infinity` are no JSON: then the text itself becomes a JSON string.
    """
    line = _beyond_ascii.sub(lambda found: json.dumps(found[0])[1:-1], _line_break.sub(" ", text))
    try:
        json.loads(line, parse_constant=_refuse, parse_int=str, parse_float=str)
    except (ValueError, RecursionError):
        return json.dumps(line)
    return line


def _refuse(constant: str) -> None:
    raise ValueError(constant)
