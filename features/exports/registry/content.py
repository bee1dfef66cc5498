"""Content of the registry's folder: each table's rows in the order of the newest import, new ones behind."""

import asyncio
import json
import math
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, BinaryIO, Final, NamedTuple

from core.database.client import Database
from core.jobs import JobContext
from features.audit import api as audit
from features.exports.schemas import NAMED, RegistryResult, TableResult
from features.exports.targets.folder import FolderTarget
from features.files import api as files
from features.imports import api as imports
from features.imports.api import AUDIT, FILES, LEGACY, Origin, Table

_ROWS_AT_ONCE: Final = 500
_ENTITIES: Final = tuple(each.rows.declared.entity for table, each in LEGACY.items() if table != AUDIT)
_NO_MORE: Final = (math.inf, b"")
"""Place after the last row that the import did not take: one that no row has."""


class _Stored(NamedTuple):
    """`was`: how the import left a row that somebody has changed since."""

    row: dict[str, Any]
    added: bool
    unchanged: bool
    was: str | None = None

    @property
    def left(self) -> Mapping[str, Any] | None:
        """Row as its import left it, nothing in it if that is not known; None for one that was made here."""
        if self.added:
            return None
        return self.row if self.unchanged else json.loads(self.was or "{}")


async def write_registry(
    context: JobContext, tx: Database, folder: FolderTarget, result: RegistryResult
) -> None:
    """Write the tables into the folder from the one snapshot that `tx` sees, and count in `result`."""
    for table, origin in (await imports.origins(context, tx)).items():
        result.store = origin.store
        counts = result.tables[table] = TableResult()
        await _Table(context, tx, folder, result, table, origin).write()
        for name in TableResult.model_fields:
            setattr(result, name, getattr(result, name) + getattr(counts, name))


class _Table:
    """Writer of one table. Rows that the import did not take stand where they were: superseded versions as
    long as their row is here, others unless their id is here.
    """

    def __init__(
        self,
        context: JobContext,
        tx: Database,
        folder: FolderTarget,
        result: RegistryResult,
        table: Table,
        origin: Origin,
    ) -> None:
        self._context, self._tx, self._folder, self._all = context, tx, folder, result
        self._table, self._origin, self._legacy = table, origin, LEGACY[table]
        self._result = result.tables[table]

    async def write(self) -> None:
        file = await asyncio.to_thread(self._folder.table, self._table)
        try:
            await self._write(file, [imports.line({name: name for name in self._origin.columns})])
            position, not_taken = 0, self._not_taken()
            next_place, next_line = await anext(not_taken)
            async for rows in self._entries() if self._table == AUDIT else self._rows():
                lines: list[bytes] = []
                ids = [str(each.row["id"]) for each in rows if each is not None and self._table == FILES]
                contents = await files.contents_of(self._tx, ids) if ids else {}
                for stored in rows:
                    while next_place <= position:
                        lines.append(next_line)
                        position += 1
                        next_place, next_line = await anext(not_taken)
                    position += 1
                    if stored is None:
                        self._result.removed += 1
                    else:
                        lines.append(await self._line(stored, contents))
                await self._write(file, lines)
                await self._context.progress(done=self._all.rows + self._result.rows)
                await self._context.raise_if_stopping()
            await self._write(file, [next_line])
            async for _, line in not_taken:
                await self._write(file, [line])
        finally:
            await asyncio.to_thread(file.close)

    async def _rows(self) -> AsyncIterator[list[_Stored | None]]:
        """Batches of stored rows: of the newest import in its order, None for one that was deleted since,
        then all others.
        """
        seen = imports.SeenIds()
        if self._origin.job_id is not None:
            async for ids in imports.imported_ids(self._tx, self._origin.job_id, self._table):
                for row_id in ids:
                    seen.add(row_id, 0)
                yield await self._stored(ids)
        async for ids in self._legacy.rows.every_id(self._tx):
            new = [row_id for row_id in ids if row_id not in seen]
            for start in range(0, len(new), _ROWS_AT_ONCE):
                yield await self._stored(new[start : start + _ROWS_AT_ONCE])

    async def _stored(self, ids: Sequence[str]) -> list[_Stored | None]:
        rows = await self._legacy.rows.rows(self._tx, ids)
        states = await self._legacy.rows.states(self._tx, ids)
        return [
            _Stored({**row, "legacy": json.loads(str(row["legacy"] or "{}"))}, *states[row_id])
            if (row := rows.get(row_id)) is not None
            else None
            for row_id in ids
        ]

    async def _entries(self) -> AsyncIterator[list[_Stored | None]]:
        async for page in audit.entries_of(self._tx, _ENTITIES):
            yield [_Stored(entry, entry["made_here"], not entry["made_here"]) for entry in page]

    async def _not_taken(self) -> AsyncIterator[tuple[float, bytes]]:
        """Place and line of each row that the import did not take; an empty line of one that stays out."""
        async for page in imports.not_taken(self._tx, self._origin):
            records = [json.loads(each.record) for each in page]
            ids = [str(record["id"]) for record in records if isinstance(record, dict) and record.get("id")]
            here = await self._legacy.rows.existing(self._tx, ids)
            for each, record in zip(page, records, strict=True):
                line = b""
                if not isinstance(record, dict):
                    line = f"{str(record).rstrip()}\r\n".encode(errors="backslashreplace")
                elif (str(record.get("id")) in here) == each.superseded:
                    line = self._csv(record)
                if line:
                    self._count("unusable")
                yield each.place, line
        yield _NO_MORE

    async def _line(self, stored: _Stored, contents: dict[str, files.StoredContent]) -> bytes:
        store, columns = self._origin.store, self._origin.columns
        old = imports.old_row(
            self._table, store, columns, stored.row, stored.left, unchanged=stored.unchanged
        )
        row_id = str(stored.row[self._legacy.rows.declared.key])
        if self._table == FILES:
            await self._copy(row_id, stored.row, old, contents.get(row_id))
        if old.lost:
            self._result.inexpressible += 1
            if len(self._all.first_decided) < NAMED:
                reason = "; ".join(f"{name}: {why}" for name, why in old.lost.items())
                self._all.first_decided.append(imports.RowReason(id=f"{self._table} {row_id}", reason=reason))
        self._count("unchanged" if stored.unchanged else "added" if stored.added else "translated")
        return self._csv(old.values)

    def _csv(self, values: Mapping[str, object]) -> bytes:
        return imports.line({name: values.get(name) for name in self._origin.columns}, self._legacy.bare)

    async def _copy(
        self, file_id: str, row: dict[str, Any], old: imports.OldRow, content: files.StoredContent | None
    ) -> None:
        """Copy the bytes; a file that has no path yet, or whose path other bytes have, gets one."""
        column = self._legacy.by_name["file_path"].name_among(old.values)
        wanted = str(old.values.get(column) or f"{file_id}/{row['filename']}")
        blocks = None if content is None else await files.content_of(self._context.settings, content)
        place = None
        if content is not None and blocks is not None:
            place = await self._folder.content(wanted, file_id, blocks, content.checksum)
        if place is None:
            old.lost["bytes"] = "are missing or damaged in the store of files"
        if place is not None and (not old.values.get(column) or not wanted.endswith(place)):
            old.values[column] = place

    def _count(self, what: str) -> None:
        self._result.rows += 1
        setattr(self._result, what, getattr(self._result, what) + 1)

    async def _write(self, file: BinaryIO, lines: Sequence[bytes]) -> None:
        await asyncio.to_thread(self._folder.write, file, b"".join(lines))
