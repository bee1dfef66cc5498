"""Validation of every record of a LowDB file, sorted into the spools."""

import json
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson

from core.http.request.text import fault_of
from features.imports.errors import SourceUnavailable
from features.imports.lowdb.identifiers import SeenIds
from features.imports.lowdb.previous import Previous
from features.imports.lowdb.reader import LowDbReader, Record
from features.imports.lowdb.spool import (
    CHANGED,
    HEAD,
    NEW,
    REMEMBERED,
    TAIL,
    UNCHANGED,
    UNUSABLE,
    SpoolWriter,
)
from features.imports.lowdb.text import is_written_alike, lead_of, margin_of, plain_records
from features.imports.schemas import Changes, Findings, Reject, RejectedField, Sample
from features.items.api import InvalidLegacyItem, LegacyItem, canonical_digest, content_digest

SLICE_S: Final = 0.05
SAMPLES: Final = 20
_MESSAGE_CHARACTERS: Final = 1000
_line_break = re.compile(r"[\r\n\t][ \r\n\t]*")
_beyond_ascii = re.compile(r"[^\x00-\x7f]")


@dataclass(frozen=True, slots=True)
class Slice:
    """Result of one step; `ids` are those of its valid records, `changes` the records that differ from the
    last import, as JSON objects of id, both digests and base.
    """

    ids: list[str]
    changes: list[bytes]
    ended: bool


class Judge:
    """Validator of the records of a file: reads it once, a slice at a time. Without spools (a dry run) it
    only counts.

    Not safe for use by two threads at once; `close` it in the end.
    """

    def __init__(
        self,
        source: Path,
        *,
        records: SpoolWriter | None = None,
        rejects: SpoolWriter | None = None,
        max_rejects: int | None = None,
        previous: Previous | None = None,
    ) -> None:
        try:
            if not source.is_file():  # opening a pipe could wait for ever, and could not be resumed
                raise SourceUnavailable(
                    f"{source.name} {'is not a file' if source.exists() else 'does not exist'}"
                )
            self._file = source.open("rb")
        except OSError as error:
            raise SourceUnavailable(f"{source.name} cannot be read: {error.strerror}") from error
        self.bytes = source.stat().st_size
        self.records = 0
        self.rejected = 0
        self.unchanged = 0
        self.samples: list[Sample] = []
        self._reader = LowDbReader(self._file, outside=self._tell)
        self._lines: list[bytes] = []
        self._margin = ""
        self._one_by_one_until = 0
        self._previous = previous
        self._remaining = iter(self._reader)
        self._records_spool = records
        self._rejects_spool = rejects
        self._max_rejects = max_rejects
        self._seen = SeenIds()
        self._seen_unusable = SeenIds()
        self._started_at = time.perf_counter()

    @property
    def too_many(self) -> bool:
        return self._max_rejects is not None and self.rejected > self._max_rejects

    @property
    def expected_records(self) -> int:
        """Estimated number of records, from the share of the file that has been read."""
        return max(self.records, round(self.records * self.bytes / max(self._reader.consumed, 1)))

    def step(self) -> Slice:
        """Validate records for about 50 ms. Raises SourceMalformed as soon as a fault is found."""
        until = time.perf_counter() + SLICE_S
        ids: list[str] = []
        changes: list[bytes] = []
        ended = True
        for record in self._remaining:
            self._judge(record, ids, changes)
            if self.too_many:
                break
            self._judge_run(ids, changes)
            if time.perf_counter() > until:
                ended = False
                break
        self._flush()
        return Slice(ids, changes, ended)

    def remember(self, records: Sequence[tuple[str, str]]) -> None:
        """Write (id, digest) of records that only earlier sources had to the spool, after the last slice."""
        self._lines += [
            b'%b\t%b,"%b"' % (REMEMBERED, orjson.dumps(identifier), digest.encode())
            for identifier, digest in records
        ]
        self._flush()

    def findings(self, existing: int, changes: Changes | None) -> Findings:
        """Findings of the whole file, after the last slice; closes the spools for good."""
        return Findings(
            sha256=self._reader.sha256,
            bytes=self._reader.bytes_read,
            records=self.records,
            rejected=self.rejected,
            list_name=self._reader.list_name or "",
            ignored=self._reader.ignored,
            spool_sha256=self._records_spool.finish() if self._records_spool else "",
            rejects_sha256=self._rejects_spool.finish() if self._rejects_spool else "",
            existing=existing,
            changes=changes,
            seconds=time.perf_counter() - self._started_at,
        )

    def close(self) -> None:
        self._file.close()
        self._seen = self._seen_unusable = SeenIds()
        for spool in (self._records_spool, self._rejects_spool):
            if spool is not None:
                spool.close()

    def _judge(self, record: Record, ids: list[str], changes: list[bytes]) -> None:
        self.records += 1
        try:
            item = LegacyItem.parse(record.value)
        except InvalidLegacyItem as error:
            self._reject(record, [(each.field, each.message) for each in error.details])
            return
        if record.flaws:
            self._reject(record, [])
        elif (first := self._seen.add(item.id, record.position)) is not None:
            self._reject(record, [("id", f"is already used by {self._reader.path(first)}")])
        else:
            ids.append(item.id)
            alike = is_written_alike(item, record.value, self._reader.source_text(), self._margin)
            self._accept(item, self._rest(record, alike=alike), changes)

    def _judge_run(self, ids: list[str], changes: list[bytes]) -> None:
        """Accept a whole run of the records that follow, if they are written as the old server writes them:
        that is most of most files. If there is any fault or a duplicate id, nothing happens here, and those
        records are validated one by one.
        """
        if self.records < self._one_by_one_until:
            return
        text = self._reader.ahead(self._margin)
        if not text:
            return
        records = plain_records(text, self._margin)
        items = None if records is None else LegacyItem.parse_all(records)
        if items is None or not self._seen.add_all([item.id for item in items], self.records):
            self._one_by_one_until = self.records + text.count(f"\n{self._margin}{{")
            return
        for item in items:
            ids.append(item.id)
            self._accept(item, b"", changes)
        self.records += len(items)
        self._reader.step_over(text, len(items))

    def _accept(self, item: LegacyItem, rest: bytes, changes: list[bytes]) -> None:
        """Add a valid record to the spool and to `changes`. `rest`: columns of its text (`_rest`)."""
        if self._records_spool is None and self._previous is None:
            return
        row = item.row()
        digest = canonical_digest(row).encode()
        kind, base, identifier = NEW, b"", orjson.dumps(item.id)
        if self._previous is not None and (last := self._previous.digest_of(item.id)) is not None:
            base = last.encode()
            kind = UNCHANGED if base == digest else CHANGED
        if kind is UNCHANGED:
            self.unchanged += 1
        elif self._previous is not None:
            known = b'"%b"' % base if base else b"null"
            content = content_digest(row).encode()
            changes.append(
                b'{"id":%b,"digest":"%b","content":"%b","base":%b}' % (identifier, digest, content, known)
            )
        if self._records_spool is None:
            return
        line = b'%b\t%b,"%b"\t%b' % (kind, identifier, digest, rest)
        if kind is not UNCHANGED:
            line = b"%b\t%b" % (line, row)
        if kind is CHANGED:
            line = b"%b\t%b" % (line, base)
        self._lines.append(line)

    def _rest(self, record: Record, *, alike: bool) -> bytes:
        """Last two fields of the record's `Entry`, its text and lead, as far as they are unusual."""
        lead = self._reader.lead
        usual = lead == lead_of(self._margin, first=record.position == 0)
        if alike and usual:
            return b""
        text = b",null" if alike else b"," + orjson.dumps(self._reader.source_text())
        return text if usual else b"%b,%b" % (text, orjson.dumps(lead))

    def _tell(self, text: str) -> None:
        """Write text around the list to the spool at once: it may be longer than memory."""
        if not self._margin:
            self._margin = margin_of(text)
        self._lines.append(b"%b\t%b" % (TAIL if self._reader.entered else HEAD, orjson.dumps(text)))
        self._flush()

    def _flush(self) -> None:
        if self._records_spool is not None and self._lines:
            self._records_spool.write(b"\n".join([*self._lines, b""]))
        self._lines.clear()

    def _reject(self, record: Record, faults: list[tuple[str, str]]) -> None:
        self.rejected += 1
        identifier = identifier_of(record.value)
        if identifier is not None and self._previous is not None:
            self._previous.is_unusable(identifier)
        faults = [*(("record", flaw) for flaw in record.flaws), *faults]
        errors = [RejectedField(field=_shown(field), message=_shown(message)) for field, message in faults]
        reason = "; ".join(f"{each.field}: {each.message}" for each in errors)[:_MESSAGE_CHARACTERS]
        path = self._reader.path(record.position)
        if len(self.samples) < SAMPLES:
            self.samples.append(Sample(path=path, reason=reason))
        if self._rejects_spool is None:
            return
        reject = Reject(
            position=record.position,
            path=path,
            reason=reason,
            errors=errors,
            record=as_ascii_line(self._reader.source_text()),
        )
        self._rejects_spool.write(reject.model_dump_json().encode() + b"\n")
        own = identifier is not None and identifier not in self._seen
        if not own or self._seen_unusable.add(identifier or "", record.position) is not None:
            identifier = None
        proof = b"%b,null" % orjson.dumps(identifier)
        self._lines.append(b"%b\t%b\t%b" % (UNUSABLE, proof, self._rest(record, alike=False)))


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


def _shown(text: str) -> str:
    """Text that can be stored, cut to 1000 characters: PostgreSQL knows neither NUL nor lone surrogates."""
    return text[:_MESSAGE_CHARACTERS].replace("\0", "\\0").encode("utf-8", "backslashreplace").decode()
