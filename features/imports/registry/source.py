"""The captured tables of an old registry as a source, resolved with what is stored here."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from core.database.client import Database
from core.settings import Settings
from features.files import api as files
from features.imports.errors import SourceChanged
from features.imports.pipeline.source import Objects, Source, Words
from features.imports.pipeline.spool import sha256_of
from features.imports.pipeline.validator import Sink, Validator
from features.imports.registry.capture import path_of
from features.imports.registry.contents import ContentFolder
from features.imports.registry.objects import FileObjects
from features.imports.registry.tables import FILES, KINDS, TABLES, table_of
from features.imports.registry.validator import RowValidator
from features.imports.schemas import RegistryArguments, Table


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
