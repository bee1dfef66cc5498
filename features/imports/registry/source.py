"""The captured tables of an old registry as a source, resolved with what is stored here."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import cast

from core.database.client import Database
from core.settings import Settings
from features.files import api as files
from features.imports.errors import SourceChanged
from features.imports.pipeline.source import Objects, Source, Words
from features.imports.pipeline.spool import sha256_of
from features.imports.pipeline.validator import Found, Sink, Validator
from features.imports.registry.capture import path_of
from features.imports.registry.contents import ContentFolder
from features.imports.registry.objects import FileObjects
from features.imports.registry.tables import BY_NAME, FILES, KINDS, LEGACY, SYSTEMS, TABLES, table_of
from features.imports.registry.translate import Candidate
from features.imports.registry.validator import TableReader
from features.imports.schemas import RegistryArguments, Table
from features.systems import api as systems


class RegistrySource(Source):
    words = Words("old registry", "rows", "rows")
    kinds = KINDS
    arguments: RegistryArguments

    def __init__(self, arguments: RegistryArguments, folder: Path, settings: Settings) -> None:
        super().__init__(arguments, folder)
        self.tables = {
            table: table_of(table, arguments.columns[table])
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


class RowValidator(TableReader):
    """Validator of a table's rows that also knows what is stored here and in the tables before it."""

    def __init__(self, source: RegistrySource, table: Table, sink: Sink, before: int) -> None:
        super().__init__(source.folder, table, source.tables[table], sink, before)
        self._source = source
        source.accepted[table] = self.accepted_ids

    async def found(self, db: Database) -> AsyncIterator[Found]:
        while await asyncio.to_thread(self.index_some):
            yield Found([], [])
        while (some := await asyncio.to_thread(self.some)) is not None:
            if self.table == FILES:
                some = await asyncio.to_thread(self._with_contents, some)
            # Taken before anything that is stored here changes them.
            said = await asyncio.to_thread(lambda found: [self.line(each) for each in found], some)
            await self._resolve(db, some)
            known = self.known(some)
            here = await LEGACY[self.table].rows.existing(db, known) if known else []
            gone = frozenset(known).difference(here)
            await asyncio.to_thread(self.accept, some, said, gone)
            yield Found([each.id for each in some], self.collected())

    def _with_contents(self, some: Sequence[Candidate]) -> list[Candidate]:
        return [each for each in some if self.add_content(each, self._source.contents)]

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
        unsure = {str(each.row["name"]): each for each in candidates}
        while taken := await systems.names_taken(db, {name: each.id for name, each in unsure.items()}):
            renamed = [unsure[name] for name in taken]
            for each in renamed:
                self.rename(each)
            unsure = {str(each.row["name"]): each for each in renamed}
