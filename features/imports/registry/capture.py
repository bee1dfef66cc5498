"""Capture of a source: its rows in their order, one line of JSON for each, before any validation.

A line is `[fault, row]`: the row by column, or, with the reason, text that could not be read as one.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from features.imports.schemas import Table
from features.imports.storage.writer import SpoolWriter

LARGEST_ROW: Final = 8 << 20
"""Upper bound of a row as JSON, in bytes: a longer one would not fit a batch."""

TELL_EVERY: Final = 1000
_WRITER: Final = 0

Tell = Callable[[Table, int], None]
"""Progress callback, called from any thread with a table and how many of its rows were captured so far."""


class Row(NamedTuple):
    """Captured row; `values` by column when `fault` is None, else the source's text."""

    position: int
    fault: str | None
    values: object


class Page(NamedTuple):
    """Next rows of a source's table, which has these columns, as lines of its capture. They may be read from
    the source as they are iterated over, which blocks.
    """

    table: Table
    columns: list[str]
    lines: Iterable[str]


class Capture:
    """Writer of a table's capture; `finish` gives the file its real name and returns its SHA-256."""

    def __init__(self, folder: Path, table: Table) -> None:
        self.rows = 0
        self._table = table
        self._spool = SpoolWriter(path_of(folder, table), _WRITER)

    def add(self, lines: Iterable[str], tell: Tell) -> None:
        for line in lines:
            self._spool.write(line.encode())
            self.rows += 1
            if not self.rows % TELL_EVERY:
                tell(self._table, self.rows)

    def finish(self) -> str:
        return self._spool.finish()

    def close(self) -> None:
        """Discard the file, unless finished."""
        self._spool.close()


def row_line(row: Mapping[str, object]) -> str:
    return json_line(json.dumps(row, separators=(",", ":"), default=str))


def json_line(row: str) -> str:
    """Line of a row that is a JSON object on one line."""
    if len(row) > LARGEST_ROW:
        return fault_line(f"the row has more than {LARGEST_ROW} bytes", row[:1000])
    return f"[null,{row}]\n"


def fault_line(fault: str, text: str) -> str:
    return f"[{json.dumps(fault)},{json.dumps(text)}]\n"


def path_of(folder: Path, table: str) -> Path:
    return folder / f"{table}.captured"


def read(folder: Path, table: str) -> Iterator[Row]:
    """Captured rows in the source's order."""
    with path_of(folder, table).open("rb") as lines:
        for position, line in enumerate(lines):
            fault, values = json.loads(line)
            yield Row(position, fault, values)
