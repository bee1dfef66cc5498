"""CSV that spreadsheets open (RFC 4180). Lists and objects are JSON in their cell; a value that is not there
is an empty one. A text that a spreadsheet would run as a formula, which anybody may have written, gets an
apostrophe before it (`csv.reader` takes it off), and so does one that has apostrophes there itself.
"""

import csv
import io
import json
import re
from collections.abc import Iterable
from typing import Final

FORMULA: Final = re.compile(r"'*[=+\-@\t\r]")
"""Beginning of what spreadsheets run, or would without the apostrophes before it."""


def csv_lines(rows: Iterable[Iterable[object]]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text).writerows([_cell(value) for value in row] for row in rows)
    return text.getvalue()


def _cell(value: object) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return f"'{value}" if FORMULA.match(value) else value
