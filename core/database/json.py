"""SQL of JSON values, byte for byte as models write them.

The arguments are SQL expressions; none of them may come from a request.
"""


def text(expression: str) -> str:
    """JSON of a text or of an array of texts."""
    return f"to_json({expression})::text"


def word(expression: str) -> str:
    """JSON of a text without characters to be escaped, such as the values of an enumeration."""
    return f"""'"' || {expression} || '"'"""


def moment(expression: str) -> str:
    """JSON of a timestamptz with milliseconds, `"2025-10-23T22:45:24.940Z"`, in any session's time zone."""
    return f"""to_char({expression} AT TIME ZONE 'UTC', '"\\""YYYY-MM-DD"T"HH24:MI:SS.MS"Z\\""')"""


def number(expression: str) -> str:
    """JSON of a finite double precision, zero or up to 1e15: `8.0`, `0.00001`, `1e-7`."""
    shortest = f"({expression})::text"
    return f"""CASE
        WHEN {expression} = trunc({expression}) THEN ({expression})::bigint || '.0'
        WHEN {expression} >= 1e-4 THEN {shortest}
        WHEN {expression} >= 1e-5 THEN '0.0000' || replace(split_part({shortest}, 'e', 1), '.', '')
        ELSE replace({shortest}, 'e-0', 'e-') END"""
