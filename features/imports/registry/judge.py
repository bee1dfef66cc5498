"""Validation of the captured rows, table after table, sorted into the spools."""

import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Final

import orjson

from core.database.import_table import line_of_json
from features.files import api as files
from features.imports.lowdb.previous import Previous
from features.imports.lowdb.spool import CHANGED, NEW, REJECTS, REMEMBERED, UNCHANGED, Line, SpoolWriter
from features.imports.registry import captured
from features.imports.registry.contents import ContentFolder, NoContent
from features.imports.registry.schemas import (
    SYSTEMS,
    Reject,
    RejectedField,
    Sample,
    Table,
    TableFindings,
)
from features.imports.registry.tables import Takeover
from features.imports.registry.translate import Candidate, translate
from features.imports.registry.versions import Names, Versions
from features.imports.schemas import Changes
from features.imports.storage.folders import storing

SAMPLES: Final = 20
_ROWS_AT_ONCE: Final = 500
_MESSAGE_CHARACTERS: Final = 1000


def spool_of(folder: Path, table: Table) -> Path:
    return folder / f"{table}.spool"


class Rejects:
    """Rejects of all tables, superseded versions too. Without a spool (a dry run) it only counts faults."""

    def __init__(self, folder: Path | None, token: int) -> None:
        self.faulty = 0
        self.samples: list[Sample] = []
        self._spool = None if folder is None else storing(lambda: SpoolWriter(folder / REJECTS, token))

    def add(
        self, table: Table, row: int, position: int, record: object, faults: Sequence[tuple[str, str]]
    ) -> None:
        """Add a row of the source with its faults. `position` counts over all tables."""
        errors = [RejectedField(field=_shown(field), message=_shown(message)) for field, message in faults]
        reason = "; ".join(f"{each.field}: {each.message}" for each in errors)[:_MESSAGE_CHARACTERS]
        self.faulty += 1
        if len(self.samples) < SAMPLES:
            self.samples.append(Sample(path=f"{table}[{row}]", reason=reason))
        self.keep(table, row, position, record, reason, errors)

    def add_superseded(self, table: Table, row: int, position: int, record: object, newest: int) -> None:
        self.keep(table, row, position, record, f"is an older version of {table}[{newest}]", [])

    def finish(self) -> str:
        return "" if self._spool is None else storing(self._spool.finish)

    def close(self) -> None:
        if self._spool is not None:
            self._spool.close()

    def keep(
        self,
        table: Table,
        row: int,
        position: int,
        record: object,
        reason: str,
        errors: list[RejectedField],
    ) -> None:
        if self._spool is None:
            return
        spool, path = self._spool, f"{table}[{row}]"
        reject = Reject(position=position, path=path, reason=reason, errors=errors, record=json.dumps(record))
        storing(lambda: spool.write(reject.model_dump_json().encode() + b"\n"))


class TableJudge:
    """Validator of one table's rows, which reads them twice: `index_some` until it is false, then `some` and
    `accept` until there are none.

    `before`: how many rows the tables before it have. `previous`: what earlier imports found. Not safe for
    use by two threads at once.
    """

    def __init__(
        self,
        folder: Path,
        table: Table,
        takeover: Takeover,
        rejects: Rejects,
        *,
        before: int,
        token: int,
        spooled: bool,
        previous: Previous | None = None,
    ) -> None:
        self.table = table
        self._takeover = takeover
        self.rows = 0
        self.judged = 0
        self.superseded = 0
        self.rejected = 0
        self.accepted_ids: set[str] = set()
        self._folder = folder
        self._rejects = rejects
        self._previous = previous
        self.before = before
        self._versions = Versions()
        self._indexed = captured.read(folder, table)
        self._remaining: Iterator[captured.Row] = captured.read(folder, table)
        self._names = Names()
        self._owners: dict[str, str] = {}
        self._translated: Counter[str] = Counter()
        self._adapted: Counter[str] = Counter()
        self._spool = storing(lambda: SpoolWriter(spool_of(folder, table), token)) if spooled else None

    def index_some(self) -> bool:
        """Index the newest versions among the next rows; False at the end."""
        some = list(islice(self._indexed, _ROWS_AT_ONCE))
        for row in some:
            if isinstance(row.values, dict) and row.fault is None:
                newest = self._versions.add(row.position, row.values)
                if newest and self.table == SYSTEMS:
                    self._names.add(row.values)
        self.rows += len(some)
        if not some:
            self._owners = self._names.owners()
        return bool(some)

    def some(self) -> list[Candidate] | None:
        """Candidates among the next rows: valid as far as the rows themselves can tell. None at the end."""
        rows = list(islice(self._remaining, _ROWS_AT_ONCE))
        self.judged += len(rows)
        candidates = [candidate for row in rows if (candidate := self._candidate(row)) is not None]
        return candidates if rows else None

    def reject(self, candidate: Candidate, field: str, message: str) -> None:
        self._reject(candidate.position, candidate.values, [(field, message)])

    def rename(self, candidate: Candidate) -> None:
        """Give the system another name: here names are unique, in the old services they were not."""
        candidate.rename()
        self._give_name(candidate)

    def add_content(self, candidate: Candidate, folder: ContentFolder | None) -> bool:
        """Add type, size and checksum of a file's bytes to its row; False if it was rejected. Blocking."""
        old, row = candidate.old, candidate.row
        path = "storage_path" if "storage_path" in old else "file_path"
        size = "size" if "size" in old else "size_bytes"
        if folder is None:
            self.reject(candidate, path, "its bytes are needed: name their folder with --files")
            return False
        name = str(row["filename"])
        if "." not in name:  # a stored name need not have the extension
            name = str(row["original_name"])
        try:
            with open_content(folder, candidate.values) as file:
                content = files.identify(name, file)
        except NoContent as error:
            self.reject(candidate, path, str(error))
            return False
        except OSError as error:
            self.reject(candidate, path, f"cannot be read: {error.strerror}")
            return False
        said = old.integer(size)
        if said is not None and said != content.size:
            self.reject(candidate, size, f"is {said}, but the file has {content.size} bytes")
            return False
        if content.size > files.LARGEST_FILE:
            self.reject(candidate, size, "is more than 2 GiB")
            return False
        checksum = old.text("checksum", most=_MESSAGE_CHARACTERS)
        if checksum is not None and checksum.strip().lower() != content.checksum:
            self.reject(candidate, "checksum", f"is {checksum}, but that of the file is {content.checksum}")
            return False
        if old.text("mime_type", most=_MESSAGE_CHARACTERS) != content.mime_type:
            old.adapt("mime_type")
        row |= {
            "mime_type": content.mime_type,
            "size_bytes": content.size,
            "checksum": content.checksum,
            "object_key": "",
        }
        return True

    def accept(
        self, candidates: Sequence[Candidate], said: Sequence[str], gone: Collection[str]
    ) -> list[Line]:
        """Spool lines of valid rows. `said`: digests of the rows as in the source, whatever is stored here.
        Rows that are `gone` here will not come back, so nothing can refer to them.
        """
        lines: list[Line] = []
        for candidate, now in zip(candidates, said, strict=True):
            if candidate.id not in gone:
                self.accepted_ids.add(candidate.id)
            self._translated.update(candidate.old.translated)
            self._adapted.update(candidate.old.adapted)
            row = candidate.finished()
            base = None if self._previous is None else self._previous.digest_of(candidate.id)
            lines.append(
                Line(
                    NEW if base is None else UNCHANGED if base == now else CHANGED,
                    b'%b,"%b"' % (orjson.dumps(candidate.id), now.encode()),
                    self._takeover.digest(row).encode(),
                    line_of_json(row),
                    (base or "").encode(),
                )
            )
        self._write(lines)
        return lines

    def said(self, candidates: Sequence[Candidate]) -> list[str]:
        """Digests of rows, to be taken before anything that is stored here changes them."""
        return [self._takeover.digest(candidate.finished()) for candidate in candidates]

    def known(self, candidates: Sequence[Candidate]) -> list[str]:
        """Ids of those candidates that an earlier source had."""
        if self._previous is None:
            return []
        return [each.id for each in candidates if self._previous.digest_of(each.id) is not None]

    def remember(self, records: Sequence[tuple[str, str]]) -> None:
        """Write (id, digest) of rows that only earlier sources had to the spool, after the last row."""
        self._write(
            [Line(REMEMBERED, b'%b,"%b"' % (orjson.dumps(i), digest.encode())) for i, digest in records]
        )

    def findings(self, existing: int, changes: Changes | None) -> TableFindings:
        """Findings of the table, after the last row; closes the spool for good."""
        return TableFindings(
            rows=self.rows,
            superseded=self.superseded,
            rejected=self.rejected,
            existing=existing,
            translated=dict(self._translated),
            adapted=dict(self._adapted),
            changes=changes,
            spool_sha256="" if self._spool is None else storing(self._spool.finish),
        )

    def close(self) -> None:
        if self._spool is not None:
            self._spool.close()

    def _candidate(self, row: captured.Row) -> Candidate | None:
        if row.fault is not None or not isinstance(row.values, dict):
            self._reject(row.position, row.values, [("row", row.fault or "is not an object")])
            return None
        newest = self._versions.newest(row.values)
        if newest is not None and newest != row.position:
            self.superseded += 1
            self._rejects.add_superseded(
                self.table, row.position, self.before + row.position, row.values, newest
            )
            return None
        candidate = translate(self.table, row.position, row.values)
        if candidate.old.faults:
            self._reject(row.position, row.values, candidate.old.faults)
            return None
        if self.table == SYSTEMS:
            self._give_name(candidate)
        return candidate

    def _give_name(self, candidate: Candidate) -> None:
        while self._owners.setdefault(str(candidate.row["name"]), candidate.id) != candidate.id:
            candidate.rename()

    def _write(self, lines: Sequence[Line]) -> None:
        if self._spool is not None:
            spool = self._spool
            storing(lambda: spool.write(b"".join(b"%b\n" % b"\t".join(line) for line in lines)))

    def _reject(self, position: int, record: object, faults: Sequence[tuple[str, str]]) -> None:
        self.rejected += 1
        if self._previous is not None and isinstance(record, dict) and record.get("id") is not None:
            self._previous.is_unusable(str(record["id"]))
        self._rejects.add(self.table, position, self.before + position, record, faults)


def open_content(folder: ContentFolder, values: Mapping[str, object]) -> BinaryIO:
    """Open the bytes of a file by the path and name in the old row. Raises NoContent."""
    path = values.get("storage_path") or values.get("file_path")
    name = values.get("stored_name") or values.get("filename")
    return folder.open(None if path is None else str(path), None if name is None else str(name))


def _shown(text: str) -> str:
    """Text that can be stored, cut to 1000 characters: PostgreSQL knows neither NUL nor lone surrogates."""
    return text[:_MESSAGE_CHARACTERS].replace("\0", "\\0").encode("utf-8", "backslashreplace").decode()
