"""Reader of CSV as spreadsheets write it: separated by comma, semicolon or tab, UTF-8 with or without its
mark, lines that end in any way, cells with line breaks, formulas that only keep a text a text.
"""

import csv
import hashlib
import io
import re
from collections.abc import Iterator
from itertools import chain
from typing import BinaryIO, Final, NamedTuple

from features.imports.csv.writer import FORMULA
from features.imports.errors import SourceMalformed

LARGEST_RECORD: Final = 8 << 20
_SEPARATORS: Final = ",;\t"
_QUOTED: Final = re.compile(r'"[^"]*(?:"|\Z)')
_SEPARATOR_LINE: Final = re.compile(r"sep=(.)[\r\n]*", re.IGNORECASE)
_TEXT_FORMULA: Final = re.compile(r'="((?:[^"]|"")*)"')
_WORKBOOKS: Final = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
"""First bytes of .xlsx and .ods, and of .xls."""


class Record(NamedTuple):
    """Record by the line on which it begins, counted from 1. With a `fault` its only cell is its text."""

    line: int
    cells: list[str]
    fault: str | None = None


class CsvReader:
    """Iterator over the records behind the header, without blank ones; to be used once. After the last one
    `sha256` is that of the whole file. Raises SourceMalformed.
    """

    def __init__(self, file: BinaryIO) -> None:
        csv.field_size_limit(LARGEST_RECORD)
        self.bytes_read = 0
        self.ignored: list[str] = []
        self._hash = hashlib.sha256()
        self._ended = False
        self._text: list[str] = []
        lines = self._lines(file)
        first = next(lines, "")
        told = _SEPARATOR_LINE.fullmatch(first)
        self._line = 2 if told else 1
        separator = told[1] if told else max(_SEPARATORS, key=_QUOTED.sub("", first).count)
        self.decimal_comma = separator != ","
        self._reader = csv.reader(lines if told else chain([first], lines), delimiter=separator, strict=True)
        self._records = self._read()
        header = next(self._records, None)
        if header is None or header.fault is not None:
            raise SourceMalformed("The file does not begin with a line of column names", offset=0)
        self.columns = [cell.strip() for cell in header.cells]

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()

    def __iter__(self) -> Iterator[Record]:
        return self._records

    def _read(self) -> Iterator[Record]:
        while True:
            line, offset = self._line + self._reader.line_num, self.bytes_read
            self._text.clear()
            try:
                cells = [_cell(text) for text in next(self._reader)]
            except StopIteration:
                return
            except csv.Error:
                text = "".join(self._text)
                if self._ended or len(text) > LARGEST_RECORD:
                    problem = f"A double quote in the record on line {line} is never closed"
                    raise SourceMalformed(problem, offset=offset) from None
                yield Record(line, [text], "the line is not CSV: its quotes are out of place")
            else:
                if any(map(str.strip, cells)):
                    yield Record(line, cells)

    def _lines(self, file: BinaryIO) -> Iterator[str]:
        while data := file.readline(LARGEST_RECORD):
            if len(data) == LARGEST_RECORD:
                problem = f"A line is longer than {LARGEST_RECORD >> 20} MiB"
                raise SourceMalformed(problem, offset=self.bytes_read)
            if not self.bytes_read and data.startswith(_WORKBOOKS):
                problem = 'The file is a workbook of a spreadsheet program, not CSV; save it as "CSV UTF-8"'
                raise SourceMalformed(problem, offset=0)
            self._hash.update(data)
            try:
                text = data.decode("utf-8" if self.bytes_read else "utf-8-sig")
            except UnicodeDecodeError as error:
                wide = data.startswith((b"\xff\xfe", b"\xfe\xff"))
                raise SourceMalformed(
                    f"The file is not UTF-8 but {'UTF-16' if wide else 'probably Windows-1252'}; save it as "
                    '"CSV UTF-8"',
                    offset=self.bytes_read + error.start,
                ) from None
            self.bytes_read += len(data)
            for line in io.StringIO(text, newline=""):
                self._text.append(line)
                yield line
        self._ended = True


def _cell(text: str) -> str:
    if (formula := _TEXT_FORMULA.fullmatch(text)) is not None:
        return formula[1].replace('""', '"')
    # The apostrophe is that of our own exports.
    return text[1:] if text.startswith("'") and FORMULA.match(text) else text
