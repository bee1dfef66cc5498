"""SQL whose result is JSON, byte for byte as models write it: compact, in the order of the fields.

For what is asked so often that building models costs too much: PostgreSQL makes the text of a whole answer,
and `Database.query_text` hands it on. Everything else reads and writes models, which is less to write and to
test. The arguments are SQL expressions; none of them may come from a request.
"""

from dataclasses import dataclass
from typing import Final

NOW: Final = "date_trunc('milliseconds', clock_timestamp())"
"""The present in the precision that is stored, when it is asked for: after what was waited for."""


class Arguments(list[object]):
    """The values of a statement's parameters, gathered while its text is made."""

    def add(self, value: object) -> str:
        """The placeholder that stands for the value."""
        self.append(value)
        return f"${len(self)}"


@dataclass(frozen=True, slots=True)
class Field:
    """A field of an object. An optional one is left out when its value is NULL; others must not be NULL."""

    name: str
    value: str
    optional: bool = False


def text(expression: str) -> str:
    """Of texts and of arrays of texts."""
    return f"to_json({expression})::text"


def word(expression: str) -> str:
    """Of texts that hold nothing to be escaped, such as the values of an enumeration."""
    return f"""'"' || {expression} || '"'"""


def moment(expression: str) -> str:
    """`"2025-10-23T22:45:24.940Z"` of a timestamptz with milliseconds, in any session's time zone."""
    return f"""to_char({expression} AT TIME ZONE 'UTC', '"\\""YYYY-MM-DD"T"HH24:MI:SS.MS"Z\\""')"""


def number(expression: str) -> str:
    """Of a finite double precision, zero or up to 1e15: `8.0`, `0.00001`, `1e-7`."""
    shortest = f"({expression})::text"
    return f"""CASE
        WHEN {expression} = trunc({expression}) THEN ({expression})::bigint || '.0'
        WHEN {expression} >= 1e-4 THEN {shortest}
        WHEN {expression} >= 1e-5 THEN '0.0000' || replace(split_part({shortest}, 'e', 1), '.', '')
        ELSE replace({shortest}, 'e-0', 'e-') END"""


def nullable(value: str) -> str:
    return f"coalesce({value}, 'null')"


def json_object(first: Field, *others: Field) -> str:
    """`{"id":...,...}`; the first field is always there."""
    parts = [f"""'{{"{first.name}":', {first.value}"""]
    for field in others:
        name = f"""',"{field.name}":'"""
        parts.append(f"{name} || ({field.value})" if field.optional else f"{name}, {field.value}")
    return f"concat({', '.join(parts)}, '}}')"


def row_answer(version: str, json: str) -> str:
    """`<version> <json>`: the form in which `core.http.rows.Row` takes a row."""
    return f"concat({version}, ' ', {json})"


def row_tag(version: str, json: str) -> str:
    """The ETag of a row: `core.http.conditional.row_etag`."""
    digest = f"substr(encode(sha256(convert_to({json}, 'UTF8')), 'hex'), 1, 16)"
    return f"""concat('"', {version}, '-', {digest}, '"')"""


def list_answer(
    rows: str, json: str, *, total: str, first: bool, size: str | None, position: tuple[str, str] | None
) -> str:
    """A statement for the whole answer of a list: `{"success":true,"count":...,"total":...,"data":[...]}`.

    `rows` is a query, in order; `json` makes the JSON of one of its rows, which is called `row`, without
    joining other tables, for that could change the order. `total` is a query for how many match; it is not
    asked when the `first` page holds all of them. With `size`, a placeholder, `rows` must hold one row more,
    if there is one, which is not shown. Then there is a `nextCursor`, that of
    `core.http.pagination.position_cursor`, if `position` says which timestamp and id of `row` it is made of.
    """
    counted = "found" if first else f"({total})"
    if size is None:
        return f"""
            SELECT concat('{{"success":true,"count":', found, ',"total":', {counted},
                ',"data":[', data, ']}}')
            FROM (SELECT count(*) AS found, string_agg({json}, ',') AS data FROM ({rows}) AS row) AS page"""
    if first:
        counted = f"CASE WHEN found <= {size}::int THEN found ELSE ({total}) END"
    last = "NULL" if position is None else f"max({_cursor(*position)}) FILTER (WHERE place = {size}::int)"
    return f"""
        SELECT concat('{{"success":true,"count":', least(found, {size}::int), ',"total":', {counted},
            CASE WHEN found > {size}::int THEN ',"nextCursor":"' || last || '"' END, ',"data":[', data, ']}}')
        FROM (SELECT count(*) AS found, {last} AS last,
                string_agg({json}, ',') FILTER (WHERE place <= {size}::int) AS data
            FROM (SELECT *, row_number() OVER () AS place FROM ({rows}) AS wanted) AS row) AS page"""


def _cursor(created_at: str, row_id: str) -> str:
    position = f"concat('[', {moment(created_at)}, ',', {text(row_id)}, ']')"
    encoded = f"encode(convert_to({position}, 'UTF8'), 'base64')"
    return f"translate({encoded}, E'+/=\\n', '-_')"
