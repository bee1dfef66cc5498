"""Bytes of files, which are copied before their rows come.

The objects are stored under keys that a repetition finds again; what an interruption leaves without a row is
removed by `files.reconcile`. The object that an overwritten row had stays in the store, for the import may be
taken back (`features.imports.undo`).
"""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from core.database.client import Database
from core.jobs import JobContext
from features.files import api as files
from features.imports.errors import SourceChanged, StorageUnavailable
from features.imports.pipeline.since_last import verdicts_on
from features.imports.pipeline.spool import Batch
from features.imports.queries.bulk import BulkTable
from features.imports.registry.contents import ContentFolder, NoContent, open_content
from features.imports.schemas import RegistryArguments
from features.search import api as search


class FileObjects:
    """Bytes of the files of one table."""

    def __init__(self, arguments: RegistryArguments, files: Path | None, rows: BulkTable) -> None:
        self._arguments = arguments
        self._files = files
        self._rows = rows
        self._copied: set[str] = set()

    async def store(self, context: JobContext, batch: Batch) -> Batch:
        """Give each row the key of its object, and store the needed bytes."""
        if self._files is None:  # without it preflight accepts no file
            return batch
        rows = [self._rows.row(line.row) for line in batch.records]
        needed = await self._needed(context, batch)
        stored = await files.contents_of(context.db, [row["id"] for row in rows])
        folder = await asyncio.to_thread(ContentFolder, self._files)
        try:
            for row in rows:
                key = row["object_key"] = files.key_for(context.job.id, row["id"])
                there = stored.get(row["id"])
                if row["id"] not in needed or (there is not None and there.checksum == row["checksum"]):
                    continue
                if there is not None and not self._arguments.overwrites:
                    continue
                await context.raise_if_stopping()
                await _copy(context, folder, row, key)
                self._copied.add(key)
        finally:
            folder.close()
        lines = [
            line._replace(row=self._rows.line(row)) for line, row in zip(batch.records, rows, strict=True)
        ]
        return replace(batch, records=lines, accepted=lines)

    async def _needed(self, context: JobContext, batch: Batch) -> frozenset[str]:
        """Ids of those files that will be written, as far as is known yet."""
        if not self._arguments.since_last:
            return frozenset(line.key for line in batch.records)
        verdicts = await verdicts_on(context.db, self._rows, batch.records, since_last=True)
        return frozenset(row_id for row_id, verdict in verdicts.items() if verdict in ("new", "changed"))

    async def raise_if_missing(self, context: JobContext, tx: Database, written: Sequence[str]) -> None:
        """A file may have been deleted or replaced meanwhile."""
        for file_id, content in (await files.contents_of(tx, written)).items():
            key = files.key_for(context.job.id, file_id)
            if content.object_key == key and key not in self._copied:
                raise StorageUnavailable(f"File {file_id} was changed while it was imported")

    async def written(self, context: JobContext, batch: Batch, written: Sequence[str]) -> None:
        """Bring the documents of these files up to date. Of new files only texts have any."""
        if not self._arguments.overwrites:
            rows = (self._rows.row(line.row) for line in batch.records)
            texts = {row["id"] for row in rows if row["mime_type"] in files.TEXT_TYPES}
            written = [file_id for file_id in written if file_id in texts]
        await search.index_files(context.db, context.cache, context.settings, written)

    async def damaged(self, context: JobContext, ids: Sequence[str]) -> list[str]:
        """Ids of files whose bytes are not theirs; other objects were checked when they came."""
        found: list[str] = []
        for file_id, content in (await files.contents_of(context.db, ids)).items():
            if content.object_key == files.key_for(context.job.id, file_id):
                await context.raise_if_stopping()
                if not await files.holds(context.settings, content):
                    found.append(file_id)
        return found


async def _copy(context: JobContext, folder: ContentFolder, row: dict[str, Any], key: str) -> None:
    legacy = json.loads(row["legacy"] or "{}")
    values = {"filename": row["filename"], **legacy.get("fields", {}), **legacy.get("original", {})}
    try:
        with await asyncio.to_thread(open_content, folder, values) as file:
            checksum = await files.store(context.settings, key, file)
    except NoContent as error:
        raise SourceChanged(f"The bytes of file {row['id']} are gone since preflight: it {error}") from None
    if checksum != row["checksum"]:
        await files.discard(context.settings, key)
        raise SourceChanged(f"The bytes of file {row['id']} have changed since preflight")
