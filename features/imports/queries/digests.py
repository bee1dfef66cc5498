"""Digest of a row, computed alike by Python and PostgreSQL: SHA-256 of every column as `length:text` (length
in Unicode code points, `-` for null, lists preceded by their number), so that no two different rows share a
text.
"""

import hashlib
import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from core.database.import_table import Kind, Row, Value

NOT_DIGESTED: Final[frozenset[Kind]] = frozenset({"counter", "key"})


def digest_of(row: Row, columns: Mapping[str, Kind]) -> str:
    """SHA-256 of these columns, but counters and keys, as hexadecimal."""
    text = "".join(text_of(row[name], kind) for name, kind in columns.items() if kind not in NOT_DIGESTED)
    return hashlib.sha256(text.encode()).hexdigest()


def digest_sql(table: str, columns: Mapping[str, Kind]) -> str:
    """The same of a row of the table, in SQL."""
    parts = (_digested(f"{table}.{name}", kind) for name, kind in columns.items() if kind not in NOT_DIGESTED)
    return f"encode(sha256(convert_to({' || '.join(parts)}, 'UTF8')), 'hex')"


def value_sql(column: str, kind: Kind) -> str:
    """SQL of a column's value in the form of `Row`, for JSON."""
    return _text_sql(column, kind) if kind in ("moment", "verbatim") else column


def _measured(text: str) -> str:
    return f"length({text}) || ':' || {text}"


def _digested(column: str, kind: Kind) -> str:
    if kind == "texts":
        each = _measured("entry")
        return (
            f"cardinality({column}) || '[' || coalesce((SELECT string_agg({each}, '' ORDER BY place) "
            f"FROM unnest({column}) WITH ORDINALITY AS entries(entry, place)), '')"
        )
    return f"coalesce({_measured(_text_sql(column, kind))}, '-')"


def _text_sql(column: str, kind: Kind) -> str:
    if kind == "moment":
        return f"""to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')"""
    return column if kind == "text" else f"{column}::text"


def text_of(value: Value, kind: Kind) -> str:
    """Text of one column's value."""
    if isinstance(value, list):
        return f"{len(value)}[{''.join([f'{len(each)}:{each}' for each in value])}"
    if value is None:
        return "-"
    if kind == "object":
        text = jsonb_text(value)
    elif isinstance(value, bool):
        text = "true" if value else "false"
    elif isinstance(value, float):
        text = repr(value).removesuffix(".0")
    else:
        text = str(value)
    return f"{len(text)}:{text}"


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
