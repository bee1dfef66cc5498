"""The captured tables of an old registry as a source, and the validator of their rows."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Collection, Sequence
from itertools import islice
from pathlib import Path
from typing import Final, cast

import orjson

from core.database.client import Database
from core.settings import Settings
from features.audit import api as audit
from features.files import api as files
from features.imports.errors import SourceChanged
from features.imports.pipeline.source import Objects, Source, Words
from features.imports.pipeline.spool import Line, sha256_of
from features.imports.pipeline.validator import Fault, Found, Sink, Validator
from features.imports.registry import capture
from features.imports.registry.capture import path_of
from features.imports.registry.contents import ContentFolder, NoContent, open_content
from features.imports.registry.objects import FileObjects
from features.imports.registry.tables import AUDIT, BY_NAME, FILES, KINDS, LEGACY, SYSTEMS, TABLES
from features.imports.registry.translate import Candidate, translate
from features.imports.registry.versions import Names, Versions
from features.imports.schemas import RegistryArguments, Table
from features.systems import api as systems

_ROWS_AT_ONCE: Final = 500
_CHECKSUM_LENGTH: Final = 1000


class RegistrySource(Source):
    words = Words("old registry", "rows", "rows")
    kinds = KINDS
    arguments: RegistryArguments

    def __init__(self, arguments: RegistryArguments, folder: Path, settings: Settings) -> None:
        super().__init__(arguments, folder)
        self.tables = {
            table: LEGACY[table].rows_from(arguments.columns[table])
            for table in TABLES
            if table in arguments.captured
        }
        parts = "".join(arguments.captured.get(table, "-") for table in TABLES)
        self.sha256 = hashlib.sha256(parts.encode()).hexdigest()
        self.accepted: dict[str, set[str]] = {}
        self.contents: ContentFolder | None = None
        self._files = None if arguments.files is None else folder / arguments.files
        self._settings = settings

    def rows_of(self, table: str) -> str:
        return f"rows of {table}"

    def label(self, table: str, row_id: str) -> str:
        return f"{self.tables[table].declared.entity} {row_id}"

    def named(self, table: str, row_id: str) -> str:
        return f"{table} {row_id}"

    def objects(self, table: str) -> Objects | None:
        return FileObjects(self.arguments, self._files, self.tables[table]) if table == FILES else None

    async def damaged(self, db: Database, table: str, ids: Sequence[str]) -> dict[str, str]:
        contents = await files.contents_of(db, ids) if table == FILES else {}
        return {
            file_id: content.checksum
            for file_id, content in contents.items()
            if not await files.holds(self._settings, content)
        }

    def validator(self, table: str, sink: Sink, before: int) -> Validator:
        if self.contents is None and self._files is not None:
            self.contents = ContentFolder(self._files)
        self.bytes += path_of(self.folder, table).stat().st_size
        return RowValidator(self, cast(Table, table), sink, before)

    def raise_if_changed(self, known: str | None, *, spooled: bool) -> None:
        """Raises SourceChanged if the capture is incomplete or damaged: the source is never read again."""
        for table, sha256 in self.arguments.captured.items():
            if sha256_of(path_of(self.folder, table)) != sha256:
                raise SourceChanged(
                    f"What was captured of {self.arguments.filename} is lost or damaged; begin a new import"
                )

    def close(self) -> None:
        if self.contents is not None:
            self.contents.close()
            self.contents = None


class RowValidator(Validator):
    """Validator of one table's rows, which reads them twice: first it finds the newest versions. It also
    knows what is stored here and in the tables before it, which have `before` rows.
    """

    def __init__(self, source: RegistrySource, table: Table, sink: Sink, before: int) -> None:
        super().__init__(sink)
        self.table = table
        self._source, self._rows = source, source.tables[table]
        self._accepted = source.accepted[table] = set[str]()
        self._before = before
        self._versions = Versions()
        self._indexed = capture.read(source.folder, table)
        self._remaining = capture.read(source.folder, table)
        self._names = Names()
        self._owners: dict[str, str] = {}

    async def found(self, db: Database) -> AsyncIterator[Found]:
        while await asyncio.to_thread(self._index_some):
            yield Found([], [])
        while (some := await asyncio.to_thread(self._some)) is not None:
            some = await self._without_made_here(db, some)
            await self._resolve(db, some)
            known = self._known(some)
            here = await LEGACY[self.table].rows.existing(db, known) if known else []
            gone = frozenset(known).difference(here)
            await asyncio.to_thread(self._accept, some, gone)
            yield Found([each.id for each in some], self.collected())

    async def _without_made_here(self, db: Database, candidates: list[Candidate]) -> list[Candidate]:
        """Candidates without the entries of the audit log that come back from an export: here they stand as
        they were made, so that they are superseded.
        """
        if self.table != AUDIT or not candidates:
            return candidates
        entries = [(each.id, str(each.row["entity_id"]), str(each.row["at"])) for each in candidates]
        known = await audit.made_here(db, entries)
        self.superseded += sum(each.id in known for each in candidates)
        return [each for each in candidates if each.id not in known]

    async def _resolve(self, db: Database, candidates: Sequence[Candidate]) -> None:
        """Rename systems whose name is taken, cut links to rows that do not exist."""
        if self.table == SYSTEMS:
            await self._name_apart(db, candidates)
        for column, name in LEGACY[self.table].rows.declared.parents.items():
            parent = BY_NAME[name]
            linked = {str(value) for each in candidates if (value := each.row.get(column)) is not None}
            unsure = linked - self._source.accepted.get(parent, set())
            known = await LEGACY[parent].rows.existing(db, sorted(unsure)) if unsure else []
            for each in candidates:
                if each.row.get(column) in unsure.difference(known):
                    each.unlink(column)

    async def _name_apart(self, db: Database, candidates: Sequence[Candidate]) -> None:
        """Rename systems: here names are unique, in the old services they were not."""
        unsure = {str(each.row["name"]): each for each in candidates}
        while taken := await systems.names_taken(db, {name: each.id for name, each in unsure.items()}):
            renamed = [unsure[name] for name in taken]
            for each in renamed:
                each.rename()
                self._give_name(each)
            unsure = {str(each.row["name"]): each for each in renamed}

    def _index_some(self) -> bool:
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

    def _some(self) -> list[Candidate] | None:
        """Candidates among the next rows: valid as far as the rows themselves can tell. None at the end."""
        rows = list(islice(self._remaining, _ROWS_AT_ONCE))
        self.validated += len(rows)
        candidates = [candidate for row in rows if (candidate := self._candidate(row)) is not None]
        return candidates if rows else None

    def _fault_of_content(self, candidate: Candidate) -> Fault | None:
        """Add type, size and checksum of a file's bytes to its row, unless they are a fault. Blocking."""
        old, row = candidate.old, candidate.row
        path, size = (
            LEGACY[self.table].by_name[name].name_among(old.values) for name in ("file_path", "size_bytes")
        )
        if (folder := self._source.contents) is None:
            return path, "its bytes are needed: name their folder with --files, or put it into the ZIP file"
        name = str(row["filename"])
        if "." not in name:  # a stored name need not have the extension
            name = str(row["original_name"])
        try:
            with open_content(folder, old.values) as file:
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

    def _accept(self, candidates: Sequence[Candidate], gone: Collection[str]) -> None:
        """Emit the lines of valid rows. Rows that are `gone` here will not come back, so nothing can refer to
        them.
        """
        for candidate in candidates:
            if candidate.id not in gone:
                self._accepted.add(candidate.id)
            self.translated.update(candidate.old.translated)
            self.adapted.update(candidate.old.adapted)
            row, source = self._rows.line(candidate.finished()), candidate.said
            now = self._rows.digest(source)
            kind, base = self.kind_of(candidate.id, now)
            pair = b'%b,"%b"' % (orjson.dumps(candidate.id), now.encode())
            own = b"" if row == source else self._rows.digest(row).encode()
            self.emit(Line(kind, pair, b"", row, base.encode(), own))
        self.flush()

    def _known(self, candidates: Sequence[Candidate]) -> list[str]:
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
        candidate = translate(self.table, row.values)
        faults = candidate.old.faults
        if self.table == FILES and not faults and (fault := self._fault_of_content(candidate)) is not None:
            faults.append(fault)
        if faults:
            self._reject(row.position, row.values, *faults)
            return None
        if self.table == SYSTEMS:
            self._give_name(candidate)
        candidate.said = self._rows.line(candidate.finished())
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
