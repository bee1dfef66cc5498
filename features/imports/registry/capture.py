"""Capture of a source: its rows in their order, one line of JSON for each, before any validation.

A line is `[fault, row]`: the row by column, or, with the reason, text that could not be read as one.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from features.imports.schemas import Table
from features.imports.storage.writer import SpoolWriter

LARGEST_ROW: Final = 8 << 20
"""Upper bound of a row as JSON, in bytes: a longer one would not fit a batch."""

_WRITER: Final = 0


class Row(NamedTuple):
    """Captured row; `values` by column when `fault` is None, else the source's text."""

    position: int
    fault: str | None
    values: object


class Capture:
    """Writer of a table's capture; `finish` gives the file its real name and returns its SHA-256. `columns`
    are the table's, to be set before the first row.
    """

    def __init__(self, folder: Path, table: Table) -> None:
        self.rows = 0
        self.columns: list[str] = []
        self._spool = SpoolWriter(path_of(folder, table), _WRITER)

    def add(self, row: Mapping[str, object]) -> None:
        self.add_json(json.dumps(row, separators=(",", ":"), default=str))

    def add_json(self, row: str) -> None:
        """Add a JSON object on one line."""
        if len(row) > LARGEST_ROW:
            self.add_fault(f"the row has more than {LARGEST_ROW} bytes", row[:1000])
            return
        self._write(f"[null,{row}]\n")

    def add_fault(self, fault: str, text: str) -> None:
        self._write(f"[{json.dumps(fault)},{json.dumps(text)}]\n")

    def finish(self) -> str:
        return self._spool.finish()

    def close(self) -> None:
        """Discard the file, unless finished."""
        self._spool.close()

    def _write(self, line: str) -> None:
        self.rows += 1
        self._spool.write(line.encode())


def path_of(folder: Path, table: str) -> Path:
    return folder / f"{table}.captured"


def read(folder: Path, table: str) -> Iterator[Row]:
    """Captured rows in the source's order."""
    with path_of(folder, table).open("rb") as lines:
        for position, line in enumerate(lines):
            fault, values = json.loads(line)
            yield Row(position, fault, values)
