"""Reading and validation of a table's captured rows."""

import json
from collections.abc import Collection, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Final

import orjson

from features.files import api as files
from features.imports.pipeline.spool import Line
from features.imports.pipeline.validator import Fault, Sink, Validator
from features.imports.queries.bulk import BulkTable
from features.imports.registry import capture
from features.imports.registry.contents import ContentFolder, NoContent, open_content
from features.imports.registry.tables import SYSTEMS, translate
from features.imports.registry.translate import Candidate
from features.imports.registry.versions import Names, Versions
from features.imports.schemas import Table

_ROWS_AT_ONCE: Final = 500
_CHECKSUM_LENGTH: Final = 1000


class TableReader(Validator):
    """Base of the validator of one table's rows, which reads them twice: `index_some` until it is false, then
    `some` and `accept` until there are none. `before`: how many rows the tables before it have.
    """

    def __init__(self, folder: Path, table: Table, rows: BulkTable, sink: Sink, before: int) -> None:
        super().__init__(sink)
        self.table = table
        self.accepted_ids: set[str] = set()
        self._rows = rows
        self._before = before
        self._versions = Versions()
        self._indexed = capture.read(folder, table)
        self._remaining = capture.read(folder, table)
        self._names = Names()
        self._owners: dict[str, str] = {}

    def index_some(self) -> bool:
        """Index the newest versions among the next rows; False at the end."""
        some = list(islice(self._indexed, _ROWS_AT_ONCE))
        for row in some:
            if isinstance(row.values, dict) and row.fault is None:
                newest = self._versions.add(row.position, row.values)
                if newest and self.table == SYSTEMS:
                    self._names.add(row.values)
        self.records += len(some)
        if not some:
            self._owners = self._names.owners()
        return bool(some)

    def some(self) -> list[Candidate] | None:
        """Candidates among the next rows: valid as far as the rows themselves can tell. None at the end."""
        rows = list(islice(self._remaining, _ROWS_AT_ONCE))
        self.validated += len(rows)
        candidates = [candidate for row in rows if (candidate := self._candidate(row)) is not None]
        return candidates if rows else None

    def rename(self, candidate: Candidate) -> None:
        """Give the system another name: here names are unique, in the old services they were not."""
        candidate.rename()
        self._give_name(candidate)

    def add_content(self, candidate: Candidate, folder: ContentFolder | None) -> bool:
        """Add type, size and checksum of a file's bytes to its row; False if it was rejected. Blocking."""
        fault = self._fault_of_content(candidate, folder)
        if fault is not None:
            self._reject(candidate.position, candidate.values, fault)
        return fault is None

    def _fault_of_content(self, candidate: Candidate, folder: ContentFolder | None) -> Fault | None:
        old, row = candidate.old, candidate.row
        path = "storage_path" if "storage_path" in old else "file_path"
        size = "size" if "size" in old else "size_bytes"
        if folder is None:
            return path, "its bytes are needed: name their folder with --files, or put it into the ZIP file"
        name = str(row["filename"])
        if "." not in name:  # a stored name need not have the extension
            name = str(row["original_name"])
        try:
            with open_content(folder, candidate.values) as file:
                content = files.identify(name, file)
        except NoContent as error:
            return path, str(error)
        except OSError as error:
            return path, f"cannot be read: {error.strerror}"
        said = old.integer(size)
        if said is not None and said != content.size:
            return size, f"is {said}, but the file has {content.size} bytes"
        if content.size > files.LARGEST_FILE:
            return size, "is more than 2 GiB"
        checksum = old.text("checksum", most=_CHECKSUM_LENGTH)
        if checksum is not None and checksum.strip().lower() != content.checksum:
            return "checksum", f"is {checksum}, but that of the file is {content.checksum}"
        if old.text("mime_type", most=_CHECKSUM_LENGTH) != content.mime_type:
            old.adapt("mime_type")
        row |= {
            "mime_type": content.mime_type,
            "size_bytes": content.size,
            "checksum": content.checksum,
            "object_key": "",
        }
        return None

    def line(self, candidate: Candidate) -> bytes:
        return self._rows.line(candidate.finished())

    def accept(self, candidates: Sequence[Candidate], said: Sequence[bytes], gone: Collection[str]) -> None:
        """Emit the lines of valid rows. `said`: the rows as in the source, whatever is stored here. Rows that
        are `gone` here will not come back, so nothing can refer to them.
        """
        for candidate, source in zip(candidates, said, strict=True):
            if candidate.id not in gone:
                self.accepted_ids.add(candidate.id)
            self.translated.update(candidate.old.translated)
            self.adapted.update(candidate.old.adapted)
            row, now = self.line(candidate), self._rows.digest(source)
            kind, base = self.kind_of(candidate.id, now, partial(self._rows.former_digest, source))
            pair = b'%b,"%b"' % (orjson.dumps(candidate.id), now.encode())
            own = b"" if row == source else self._rows.digest(row).encode()
            self.emit(Line(kind, pair, b"", row, base.encode(), own))
        self.flush()

    def known(self, candidates: Sequence[Candidate]) -> list[str]:
        """Ids of those candidates that an earlier source had."""
        if (previous := self.sink.previous) is None:
            return []
        return [each.id for each in candidates if previous.digest_of(each.id) is not None]

    def _candidate(self, row: capture.Row) -> Candidate | None:
        if row.fault is not None or not isinstance(row.values, dict):
            self._reject(row.position, row.values, ("row", row.fault or "is not an object"))
            return None
        newest = self._versions.newest(row.values)
        if newest is not None and newest != row.position:
            self.superseded += 1
            reason = f"is an older version of {self._path(newest)}"
            self.sink.rejects.keep(
                self._path(row.position), self._before + row.position, lambda: json.dumps(row.values), reason
            )
            return None
        candidate = translate(self.table, row.position, row.values)
        if candidate.old.faults:
            self._reject(row.position, row.values, *candidate.old.faults)
            return None
        if self.table == SYSTEMS:
            self._give_name(candidate)
        return candidate

    def _give_name(self, candidate: Candidate) -> None:
        while self._owners.setdefault(str(candidate.row["name"]), candidate.id) != candidate.id:
            candidate.rename()

    def _path(self, position: int) -> str:
        return f"{self.table}[{position}]"

    def _reject(self, position: int, record: object, *faults: Fault) -> None:
        row_id = record.get("id") if isinstance(record, dict) else None
        place = self._before + position
        self.reject(self._path(position), place, lambda: json.dumps(record), faults, row_id)
