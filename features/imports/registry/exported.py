"""Reader and writer of CSV as QuestDB's `/exp` writes it.

UTF-8, a header line, `\\r\\n` between lines; texts, symbols and timestamps in double quotes with quotes
doubled, numbers and booleans bare. Nothing between two commas is null, `""` is an empty text.
"""

import asyncio
import json
import re
from collections.abc import AsyncGenerator, Collection, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, Final

from features.imports.errors import SourceMalformed, SourceUnavailable
from features.imports.registry.capture import LARGEST_ROW, Page, fault_line, row_line
from features.imports.registry.tables import TABLES
from features.imports.schemas import Table

_CELL: Final = re.compile(r'(?:"((?:[^"]|"")*+)"|([^",\r\n]*+))(,|\r?\n?\Z)')
_SAFE: Final = re.compile(r'[^",\r\n]+')
_BOM: Final = b"\xef\xbb\xbf"


def tables_in(folder: Path) -> dict[Table, Path]:
    """Existing CSV files by table. Raises SourceUnavailable when there is none."""
    if not folder.is_dir():
        raise SourceUnavailable(f"{folder} {'is not a folder' if folder.exists() else 'does not exist'}")
    found = {table: folder / f"{table}.csv" for table in TABLES if (folder / f"{table}.csv").is_file()}
    if not found:
        names = ", ".join(f"{table}.csv" for table in TABLES)
        raise SourceUnavailable(f"{folder} has none of {names}")
    return found


async def pages_of(folder: Path) -> AsyncGenerator[Page, None]:
    """The folder's tables; a bad line is a row with a fault. Raises SourceUnavailable, SourceMalformed."""
    for table, path in (await asyncio.to_thread(tables_in, folder)).items():
        try:
            with path.open("rb") as file:
                columns = await asyncio.to_thread(_columns, file, path)
                yield Page(table, columns, _lines(file, path, columns))
        except OSError as error:
            raise SourceUnavailable(f"{path} cannot be read: {error.strerror}") from error


def _lines(file: BinaryIO, path: Path, columns: list[str]) -> Iterator[str]:
    while record := _record(file, path):
        if not record.strip(b"\r\n"):
            continue
        try:
            cells = _cells(record.decode())
        except UnicodeDecodeError:
            yield fault_line("the line is not UTF-8", record.decode("utf-8", "backslashreplace"))
            continue
        if cells is None:
            yield fault_line("the line is not CSV: its quotes are out of place", record.decode())
        elif len(cells) != len(columns):
            fault = f"the line has {len(cells)} columns, the header has {len(columns)}"
            yield fault_line(fault, record.decode())
        else:
            yield row_line(dict(zip(columns, cells, strict=True)))


def _record(file: BinaryIO, path: Path) -> bytes:
    """One record: a line, and those after it while a quote is open; empty at the end of the file."""
    offset, record = file.tell(), b""
    while True:
        try:
            line = file.readline(LARGEST_ROW)
        except OSError as error:
            raise SourceUnavailable(f"{path} cannot be read: {error.strerror}") from error
        record += line
        if record.count(b'"') % 2 == 0 and (line.endswith(b"\n") or not line):
            return record
        if not line:
            raise SourceMalformed(f"{path.name} ends inside of double quotes", offset=offset)
        if len(record) > LARGEST_ROW:
            largest = f"{LARGEST_ROW >> 20} MiB"
            raise SourceMalformed(f"{path.name} has a line of more than {largest}", offset=offset)


def _columns(file: BinaryIO, path: Path) -> list[str]:
    header = _record(file, path).removeprefix(_BOM)
    try:
        cells = _cells(header.decode())
    except UnicodeDecodeError:
        cells = None
    columns = [cell or "" for cell in cells or []]
    if "id" not in columns:
        raise SourceMalformed(f'{path.name} has no header line with a column "id"', offset=0)
    if twice := next((column for column in columns if columns.count(column) > 1), None):
        raise SourceMalformed(f"{path.name} has the column {json.dumps(twice[:100])} twice", offset=0)
    return columns


def _cells(record: str) -> list[str | None] | None:
    """Cells of a record, None when its quotes are out of place."""
    cells: list[str | None] = []
    at = 0
    while (found := _CELL.match(record, at)) is not None:
        quoted, bare, end = found.groups()
        cells.append(quoted.replace('""', '"') if quoted is not None else bare or None)
        at = found.end()
        if end != ",":
            return cells
    return None


def line(cells: Mapping[str, object], bare: Collection[str] = ()) -> bytes:
    """Line with these cells by column. Texts in `bare` columns are numbers or booleans."""
    texts = (_cell(value, bare=name in bare) for name, value in cells.items())
    return f"{','.join(texts)}\r\n".encode(errors="backslashreplace")


def _cell(value: object, *, bare: bool) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    bare = bare or not isinstance(value, str | list | dict)
    return text if bare and _SAFE.fullmatch(text) else f'"{text.replace(chr(34), chr(34) * 2)}"'
