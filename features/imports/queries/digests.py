"""Rows as imports hand them on: one line of JSON each, whose SHA-256 PostgreSQL computes alike from its own
columns, so that only differing rows are sent.

A line is an array: first the texts of all columns but lists, null for none, then each list of texts. No two
different rows share a line.
"""

import hashlib
import json
from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import Final

from core.database.import_table import Kind

Value = str | int | float | bool | list[str] | dict[str, object] | None
Row = Mapping[str, Value]
"""By column: moments as `2025-10-23T22:45:24.940Z`, JSON kept to the character as its text."""

Columns = Mapping[str, Kind]
NOT_DIGESTED: Final[frozenset[Kind]] = frozenset({"counter", "key"})


def digest_of(line: bytes) -> str:
    return hashlib.sha256(line).hexdigest()


def line_sql(table: str, columns: Collection[tuple[str, Kind]]) -> str:
    """Text of the line of these columns, in SQL."""
    texts = ", ".join(_text_sql(f"{table}.{name}", kind) for name, kind in columns if kind != "texts")
    lists = "".join(f" || ',' || to_json({table}.{name})::text" for name, kind in columns if kind == "texts")
    return f"'[' || to_json(ARRAY[{texts}])::text{lists} || ']'"


def digest_sql(table: str, columns: Columns, aside: Collection[str] = ()) -> str:
    """Digest of a stored row without the columns `aside`, counters and keys, in SQL."""
    digested = [each for each in columns.items() if each[1] not in NOT_DIGESTED and each[0] not in aside]
    return f"encode(sha256(convert_to({line_sql(table, digested)}, 'UTF8')), 'hex')"


def _text_sql(column: str, kind: Kind) -> str:
    if kind == "moment":
        return f"""to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')"""
    return column if kind in ("text", "key") else f"{column}::text"


def text_of(value: Value, kind: Kind) -> str | None:
    """Text of one column's value."""
    if value is None or isinstance(value, str):
        return value
    if kind in ("object", "texts"):
        return jsonb_text(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value).removesuffix(".0") if isinstance(value, float) else str(value)


def value_of(text: str | None, kind: Kind) -> Value:
    if text is None:
        return None
    if kind in ("integer", "counter"):
        return int(text)
    if kind == "real":
        return float(text)
    if kind == "object":
        found: Value = json.loads(text)
        return found
    return text == "true" if kind == "flag" else text


def jsonb_text(value: object) -> str:
    """Text of a JSONB value as PostgreSQL writes it: shorter keys first, numbers without exponent."""
    if isinstance(value, dict):
        keys = sorted(value, key=lambda key: (len(key.encode()), key.encode()))
        return "{" + ", ".join(f"{_quoted(key)}: {jsonb_text(value[key])}" for key in keys) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(jsonb_text, value)) + "]"
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, float):
        return format(Decimal(repr(value)), "f").removeprefix("-" if value == 0 else "")
    return json.dumps(value)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
