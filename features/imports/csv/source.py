"""A CSV file as a source of items, ideas or systems, and the validator of its rows."""

import asyncio
import json
import re
import uuid
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

from pydantic import BaseModel, ValidationError
from pydantic.alias_generators import to_camel

from core.database.client import Database
from core.database.import_table import Kind
from core.http.request.fields import UNTRIMMED, fault_of
from core.http.request.validation import field_errors
from features.imports.csv.columns import TABLES
from features.imports.csv.reader import CsvReader, Record
from features.imports.errors import SourceChanged
from features.imports.pipeline.identifiers import SeenIds
from features.imports.pipeline.source import FileSource, Words
from features.imports.pipeline.validator import Fault, Found, Sink, Validator
from features.imports.queries.digests import Row, Value, text_of
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
_GONE: Final = ""
"""Id that no row has."""


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
        self._rows, self._table = source.tables[table], source.table
        self._required = {
            name for name, field in self._table.model.model_fields.items() if field.is_required()
        }
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
        while records := await asyncio.to_thread(lambda: list(islice(self._remaining, _ROWS_AT_ONCE))):
            stored = await self._stored(db, records)
            rows = await self._with_links(db, await asyncio.to_thread(self._usable, records, stored))
            await asyncio.to_thread(self._accept, rows)
            self.validated = self.records
            yield Found([str(row.values["id"]) for row in rows], self.collected())

    async def _stored(self, db: Database, records: Sequence[Record]) -> dict[str, Row]:
        """Rows that these records are about, by id."""
        ids = {form for each in records for form in _forms(self._id_of(each))}
        return await self._rows.rows(db, sorted(ids)) if ids else {}

    def _usable(self, records: Sequence[Record], stored: Mapping[str, Row]) -> list[_Row]:
        rows = list[_Row]()
        for record in records:
            position, self.records = self.records, self.records + 1
            values = self._judged(record, stored)
            if isinstance(values, dict):
                rows.append(_Row(record, position, values))
            else:
                self._reject(record, position, values)
        return rows

    def _judged(self, record: Record, stored: Mapping[str, Row]) -> dict[str, Value] | list[Fault]:
        """Values of the record by column, or its faults. What a stored row says already is not judged: those
        of an old service have what nobody could write today.
        """
        cells, header = record.cells, self._reader.columns
        if record.fault is not None or any(map(str.strip, cells[len(header) :])):
            fault = record.fault or f"the line has {len(cells)} cells, the header has {len(header)}"
            return [("row", fault)]
        given = dict(zip(header, cells, strict=False))
        kinds, comma = self._rows.declared.columns, self._reader.decimal_comma
        texts = {name: given.get(column, "") for name, column in self._columns.items()}
        row = next((stored[form] for form in _forms(texts.get("id", "")) if form in stored), None)
        kept: dict[str, Value] = {} if row is None else {"id": row["id"], **self._said_already(row, texts)}
        model = self._table.model if row is None else self._table.part
        never_empty = {_NEVER_EMPTY} if row is None else {_NEVER_EMPTY, *self._required}
        fields = {
            name: _value(text, kinds[name], decimal_comma=comma)
            for name, text in texts.items()
            if name not in kept and (text.strip() or name in never_empty)
        }
        try:
            made = self._made(model, fields)
        except ValidationError as error:
            details = field_errors(error.errors(include_url=False))
            return [(self._named(each.field), each.message) for each in details]
        values: dict[str, Value] = made.model_dump(mode="json") | kept
        values["id"] = values["id"] or str(uuid.uuid5(_IDS, f"{self._seed} {record.line}"))
        for name, seen in self._seen.items():
            if (first := seen.add(str(values[name]), record.line)) is not None:
                return [(self._named(name), f"is already used on line {first}")]
        return {name: values[name] for name in kinds}

    def _said_already(self, row: Row, texts: Mapping[str, str]) -> dict[str, Value]:
        kinds = self._rows.declared.columns
        return {
            name: row[name]
            for name, text in texts.items()
            if (text == "" and row[name] is None)
            or (kinds[name] in ("text", "texts") and _value(text, kinds[name]) == row[name])
        }

    def _made(self, model: type[BaseModel], fields: dict[str, object]) -> BaseModel:
        """The fields with the white space that their texts have, but without what a spreadsheet left around
        values that are refused with it. Raises ValidationError.
        """
        try:
            return model.model_validate(fields, context=UNTRIMMED)
        except ValidationError as error:
            faulty = {to_camel(str(fault["loc"][0])) for fault in error.errors() if fault["loc"]}
        trimmed = {
            name: value.strip() if isinstance(value, str) and to_camel(name) in faulty else value
            for name, value in fields.items()
        }
        return model.model_validate(trimmed, context=UNTRIMMED)

    async def _with_links(self, db: Database, rows: list[_Row]) -> list[_Row]:
        """Rows without those that refer to what does not exist, or whose unique name another one has."""
        declared = self._rows.declared
        for column in declared.parents.keys() & declared.columns.keys():
            parents = BY_NAME[declared.parents[column]]
            linked = [row for row in rows if row.values[column] is not None]
            wanted = sorted({form for row in linked for form in _forms(str(row.values[column]))})
            found = set(await parents.existing(db, wanted) if wanted else ())
            for row in linked:
                forms = _forms(str(row.values[column]))
                row.values[column] = next((form for form in forms if form in found), _GONE)
            rows = self._without(rows, column, {_GONE}, f"names none of the {parents.declared.name}")
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
        row_id = self._id_of(record)
        self.reject(f"line {record.line}", position, lambda: json.dumps(shown), faults, row_id)

    def _id_of(self, record: Record) -> str:
        cells = dict(zip(self._reader.columns, record.cells, strict=False))
        return cells.get(self._columns.get("id", ""), "")


def _forms(row_id: str) -> tuple[str, ...]:
    """Ids that a cell may mean: as it is, or without what a spreadsheet left around it."""
    return (row_id, row_id.strip()) if row_id.strip() and fault_of(row_id) is None else ()


def _value(text: str, kind: Kind, *, decimal_comma: bool = False) -> object:
    """Value of a cell as the model takes it; what cannot be read as one stays a text, which it refuses."""
    if kind == "text":
        return text
    text = text.strip()
    if kind == "texts" and not text.startswith("["):
        return [part for each in re.split("[,;]", text) if (part := each.strip())]
    if kind in ("texts", "object", "real"):
        try:
            return json.loads(text.replace(",", ".") if kind == "real" and decimal_comma else text)
        except (ValueError, RecursionError):
            return text
    return text
