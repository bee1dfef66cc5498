"""A CSV file as a source of items, ideas or systems, and the validator of its rows."""

import asyncio
import json
import re
import uuid
from collections.abc import AsyncIterator, Collection, Sequence
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

from pydantic import ValidationError
from pydantic.alias_generators import to_camel

from core.database.client import Database
from core.database.import_table import Kind
from core.http.request.validation import field_errors
from features.imports.csv.columns import TABLES
from features.imports.csv.reader import CsvReader, Record
from features.imports.errors import SourceChanged
from features.imports.pipeline.identifiers import SeenIds
from features.imports.pipeline.source import FileSource, Words
from features.imports.pipeline.validator import Fault, Found, Sink, Validator
from features.imports.queries.digests import Value, text_of
from features.imports.queries.tables import BY_NAME
from features.imports.schemas import SOURCES, FileArguments
from features.systems import api as systems

_ROWS_AT_ONCE: Final = 500
_SHOWN_ROWS: Final = 5
_SHOWN_CHARACTERS: Final = 200
_IDS: Final = uuid.UUID("0d0c5f9e-0f43-4f5e-8a1d-6a2b1d1c9a57")
"""Namespace of the ids of rows that come without one: they are made of the file's digest and the line, so the
same file brings the same rows.
"""
_NEVER_EMPTY: Final = "created_at"
"""Column whose empty cell is a fault: every row has a value."""


class CsvSource(FileSource):
    words = Words("CSV file", "rows", "rows")
    kinds = (SOURCES["csv"],)

    def __init__(self, arguments: FileArguments, folder: Path) -> None:
        super().__init__(arguments, folder)
        assert arguments.into is not None
        self.table = TABLES[arguments.into]
        self.tables = {arguments.into: self.table.with_only(arguments.map or {})}

    def validator(self, table: str, sink: Sink, before: int) -> Validator:
        self.reader = reader = CsvReader(self.open())
        if not set(reader.columns).issuperset((self.arguments.map or {}).values()):
            raise SourceChanged(f"{self.arguments.filename} has other columns now; begin a new import")
        return RowValidator(self, table, reader, self._path.stat().st_size, sink)


class _Row(NamedTuple):
    """Row being validated, its values by column."""

    record: Record
    position: int
    values: dict[str, Value]


class RowValidator(Validator):
    """Validator of the rows of a file of so many bytes. Faults name a column as the file calls it."""

    def __init__(self, source: CsvSource, table: str, reader: CsvReader, size: int, sink: Sink) -> None:
        super().__init__(sink)
        self._reader, self._size, self._remaining = reader, size, iter(reader)
        self._rows, self._model = source.tables[table], source.table.model
        self._columns = {
            source.table.fields[field]: name for field, name in (source.arguments.map or {}).items()
        }
        self._seed = f"{table} {source.arguments.sha256}"
        self._seen = {name: SeenIds() for name in ("id", *self._rows.declared.unique)}

    @property
    def expected(self) -> int:
        """Estimated number of records, from the share of the file that has been read."""
        return max(self.records, round(self.records * self._size / max(self._reader.bytes_read, 1)))

    async def found(self, db: Database) -> AsyncIterator[Found]:
        while (rows := await asyncio.to_thread(self._some)) is not None:
            rows = await self._with_links(db, rows)
            await asyncio.to_thread(self._accept, rows)
            self.validated = self.records
            yield Found([str(row.values["id"]) for row in rows], self.collected())

    def _some(self) -> list[_Row] | None:
        records = list(islice(self._remaining, _ROWS_AT_ONCE))
        return [row for each in records if (row := self._row(each)) is not None] if records else None

    def _row(self, record: Record) -> _Row | None:
        position, self.records = self.records, self.records + 1
        values = self._judged(record)
        if isinstance(values, dict):
            return _Row(record, position, values)
        self._reject(record, position, values)
        return None

    def _judged(self, record: Record) -> dict[str, Value] | list[Fault]:
        """Values of the record by column, or its faults."""
        cells, header = record.cells, self._reader.columns
        if record.fault is not None or any(map(str.strip, cells[len(header) :])):
            fault = record.fault or f"the line has {len(cells)} cells, the header has {len(header)}"
            return [("row", fault)]
        given = dict(zip(header, cells, strict=False))
        kinds, comma = self._rows.declared.columns, self._reader.decimal_comma
        fields = {name: given.get(column, "").strip() for name, column in self._columns.items()}
        try:
            made = self._model.model_validate(
                {
                    name: _value(text, kinds[name], decimal_comma=comma)
                    for name, text in fields.items()
                    if text or name == _NEVER_EMPTY
                }
            )
        except ValidationError as error:
            details = field_errors(error.errors(include_url=False))
            return [(self._named(each.field), each.message) for each in details]
        values = made.model_dump(mode="json")
        values["id"] = values["id"] or str(uuid.uuid5(_IDS, f"{self._seed} {record.line}"))
        for name, seen in self._seen.items():
            if (first := seen.add(str(values[name]), record.line)) is not None:
                return [(self._named(name), f"is already used on line {first}")]
        return {name: values[name] for name in kinds}

    async def _with_links(self, db: Database, rows: list[_Row]) -> list[_Row]:
        """Rows without those that refer to what does not exist, or whose unique name another one has."""
        declared = self._rows.declared
        for column in declared.parents.keys() & declared.columns.keys():
            wanted = {str(value) for row in rows if (value := row.values[column]) is not None}
            parents = BY_NAME[declared.parents[column]]
            gone = wanted.difference(await parents.existing(db, sorted(wanted)) if wanted else ())
            rows = self._without(rows, column, gone, f"names none of the {parents.declared.name}")
        for column in declared.unique:
            ids = {str(row.values[column]): str(row.values["id"]) for row in rows}
            taken = await systems.names_taken(db, ids)
            rows = self._without(rows, column, taken, "is already used here")
        return rows

    def _without(
        self, rows: Sequence[_Row], column: str, values: Collection[str], message: str
    ) -> list[_Row]:
        for row in rows:
            if row.values[column] in values:
                self._reject(row.record, row.position, [(self._named(column), message)])
        return [row for row in rows if row.values[column] not in values]

    def _accept(self, rows: Sequence[_Row]) -> None:
        for row in rows[: _SHOWN_ROWS - len(self.first_rows)]:
            texts = {
                name: text_of(value, self._rows.declared.columns[name]) for name, value in row.values.items()
            }
            self.first_rows.append(
                {to_camel(name): text and text[:_SHOWN_CHARACTERS] for name, text in texts.items()}
            )
        for row in rows:
            line = self._rows.line(row.values)
            self.accept(str(row.values["id"]), self._rows.digest(line), line)
        self.flush()

    def _named(self, field: str) -> str:
        """Name of a field, or of a part of it, in the file."""
        head, dot, rest = field.partition(".")
        columns = {to_camel(name): column for name, column in self._columns.items()}
        return f"{columns.get(to_camel(head), head)}{dot}{rest}"

    def _reject(self, record: Record, position: int, faults: Sequence[Fault]) -> None:
        cells = dict(zip(self._reader.columns, record.cells, strict=False))
        shown = cells if record.fault is None else record.cells[0]
        row_id = cells.get(self._columns.get("id", ""), "").strip()
        self.reject(f"line {record.line}", position, lambda: json.dumps(shown), faults, row_id)


def _value(text: str, kind: Kind, *, decimal_comma: bool) -> object:
    """Value of a cell as the model takes it; what cannot be read as one stays a text, which it refuses."""
    if kind == "texts" and not text.startswith("["):
        return [part for each in re.split("[,;]", text) if (part := each.strip())]
    if kind in ("texts", "object", "real"):
        try:
            return json.loads(text.replace(",", ".") if kind == "real" and decimal_comma else text)
        except (ValueError, RecursionError):
            return text
    return text
