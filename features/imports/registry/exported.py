"""Reader and writer of CSV as QuestDB's `/exp` writes it.

UTF-8, a header line, `\\r\\n` between lines; texts, symbols and timestamps in double quotes with quotes
doubled, numbers and booleans bare. Nothing between two commas is null, `""` is an empty text.
"""

import json
import re
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import BinaryIO, Final

from features.imports.errors import SourceMalformed, SourceUnavailable
from features.imports.registry.capture import LARGEST_ROW, Capture
from features.imports.registry.tables import TABLES
from features.imports.schemas import Table

_CELL: Final = re.compile(r'(?:"((?:[^"]|"")*+)"|([^",\r\n]*+))(,|\r?\n?\Z)')
_SAFE: Final = re.compile(r'[^",\r\n]+')
_TELL_EVERY: Final = 1000
_BOM: Final = b"\xef\xbb\xbf"

Tell = Callable[[int], None]
"""Progress callback, called with the number of rows so far."""


def tables_in(folder: Path) -> dict[Table, Path]:
    """Existing CSV files by table. Raises SourceUnavailable when there is none."""
    if not folder.is_dir():
        raise SourceUnavailable(f"{folder} {'is not a folder' if folder.exists() else 'does not exist'}")
    found = {table: folder / f"{table}.csv" for table in TABLES if (folder / f"{table}.csv").is_file()}
    if not found:
        names = ", ".join(f"{table}.csv" for table in TABLES)
        raise SourceUnavailable(f"{folder} has none of {names}")
    return found


def capture_csv(path: Path, capture: Capture, tell: Tell) -> None:
    """Capture a CSV file; blocking. Raises SourceMalformed; a bad line becomes a row with a fault."""
    try:
        with path.open("rb") as file:
            _capture(file, path.name, capture, tell)
    except OSError as error:
        raise SourceUnavailable(f"{path} cannot be read: {error.strerror}") from error


def _capture(file: BinaryIO, name: str, capture: Capture, tell: Tell) -> None:
    header = _record(file, name)
    columns = capture.columns = _columns(header.removeprefix(_BOM), name)
    while True:
        record = _record(file, name)
        if not record:
            return
        if not record.strip(b"\r\n"):
            continue
        try:
            cells = _cells(record.decode())
        except UnicodeDecodeError:
            capture.add_fault("the line is not UTF-8", record.decode("utf-8", "backslashreplace"))
            continue
        if cells is None:
            capture.add_fault("the line is not CSV: its quotes are out of place", record.decode())
        elif len(cells) != len(columns):
            capture.add_fault(
                f"the line has {len(cells)} columns, the header has {len(columns)}", record.decode()
            )
        else:
            capture.add(dict(zip(columns, cells, strict=True)))
        if not capture.rows % _TELL_EVERY:
            tell(capture.rows)


def _record(file: BinaryIO, name: str) -> bytes:
    """One record: a line, and those after it while a quote is open; empty at the end of the file."""
    offset = file.tell()
    record = b""
    while True:
        line = file.readline(LARGEST_ROW)
        record += line
        if record.count(b'"') % 2 == 0 and (line.endswith(b"\n") or not line):
            return record
        if not line:
            raise SourceMalformed(f"{name} ends inside of double quotes", offset=offset)
        if len(record) > LARGEST_ROW:
            raise SourceMalformed(f"{name} has a line of more than {LARGEST_ROW >> 20} MiB", offset=offset)


def _columns(header: bytes, name: str) -> list[str]:
    try:
        cells = _cells(header.decode())
    except UnicodeDecodeError:
        cells = None
    columns = [cell or "" for cell in cells or []]
    if "id" not in columns:
        raise SourceMalformed(f'{name} has no header line with a column "id"', offset=0)
    if twice := next((column for column in columns if columns.count(column) > 1), None):
        raise SourceMalformed(f"{name} has the column {json.dumps(twice[:100])} twice", offset=0)
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
