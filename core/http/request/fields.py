"""Types of fields of requests and responses: texts, timestamps, numbers, and optional ones.

PostgreSQL holds no NUL character and no lone surrogate. JSON can carry both (`"\\u0000"`, `"\\ud800"`): they
are refused with the field's name. Use `Text` for every string that is stored or looked up, path parameters
included. Timestamps have the clients' form: UTC, three fraction digits, `Z` (JavaScript's `toISOString`).
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    ValidationInfo,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

# What JavaScript's trim() removes; the clients were written against it.
WHITESPACE: Final = (
    "\t\n\v\f\r \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000\ufeff"
)

UNTRIMMED: Final = "untrimmed"
"""Context of a validation that leaves white space where it is: rows of an old service have it."""


def fault_of(value: str) -> str | None:
    """The reason why the database could not hold this text, None when it can."""
    if "\0" in value:
        return "must not contain the NUL character"
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            return "must be valid Unicode text (it contains a lone surrogate)"
    return None


def _check(value: object) -> object:
    if isinstance(value, str) and (fault := fault_of(value)) is not None:
        raise PydanticCustomError("text", fault)
    return value


def _trim(value: object, info: ValidationInfo) -> object:
    checked = _check(value)
    if not isinstance(checked, str) or info.context == UNTRIMMED:
        return checked
    return checked.strip(WHITESPACE)


def _not_blank(text: str) -> str:
    """Refuse a text of white space that trimming leaves (a "next line" character, say)."""
    if not text.strip():
        raise PydanticCustomError("blank", "must not be empty")
    return text


def _empty_if_none(value: object) -> object:
    return "" if value is None else value


Text = Annotated[str, BeforeValidator(_check)]
"""Text as it is."""

Trimmed = Annotated[str, BeforeValidator(_trim)]
"""Text without the white space around it; length limits count what is left."""

NotBlank = Annotated[Trimmed, Field(min_length=1), AfterValidator(_not_blank)]
"""Trimmed text that is not empty."""

EmptyIfNone = Annotated[str, BeforeValidator(_empty_if_none)]
"""Text of a response: empty where the database has NULL."""


_EXAMPLE = "2025-10-23T22:45:24.940Z"
_ISO_8601: Final = re.compile(
    r"(?P<date>\d{4}(?:-?\d\d-?\d\d|-?W\d\d(?:-?\d)?))"
    r"(?P<time>[T ]\d\d(?::?\d\d(?::?\d\d(?:[.,]\d+)?)?)?(?:Z|[+-]\d\d(?::?\d\d)?)?)?",
    re.ASCII,
)
_END_OF_DAY: Final = re.compile(r"(?<=[T ])24(?=(?::?00(?::?00(?:[.,]0+)?)?)?(?:Z|[+-]|$))")


def to_iso(moment: datetime) -> str:
    """Text of a moment, `2025-10-23T22:45:24.940Z`. No zone means UTC; microseconds are cut off."""
    if moment.tzinfo is not None and moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def from_iso(text: str) -> datetime:
    """Moment of an ISO 8601 timestamp, in UTC; without an offset it means UTC. The date is that of a
    calendar or a week (`2025-W43-4`), in basic or extended form; `24:00` is the end of the day.

    Raises ValueError or, outside the years 1 to 9999, OverflowError.
    """
    text = text.upper()
    parts = _ISO_8601.fullmatch(text)
    if parts is None:
        raise ValueError("not an ISO 8601 timestamp")
    day = parts["date"]
    if day.startswith("0000"):
        raise OverflowError("before the year 1")
    time, at_end_of_day = _END_OF_DAY.subn("00", parts["time"] or "")
    moment = datetime.fromisoformat(day + time)
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return moment + timedelta(days=at_end_of_day)


def now() -> datetime:
    """Current time in the precision that is stored: milliseconds."""
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def _read(value: object) -> datetime:
    try:
        if isinstance(value, datetime):
            moment = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
        elif isinstance(value, str):
            moment = from_iso(value.strip())
        else:
            raise ValueError
    except OverflowError:
        raise PydanticCustomError("timestamp", "must be between the years 1 and 9999 in UTC") from None
    except ValueError:
        message = f"must be an ISO 8601 timestamp such as {_EXAMPLE}, of a day and time that exist"
        raise PydanticCustomError("timestamp", message) from None
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


Timestamp = Annotated[
    datetime,
    BeforeValidator(_read),
    PlainSerializer(to_iso, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": [_EXAMPLE]}),
]
"""Timestamp: reads an ISO 8601 text (without a zone: UTC) and writes the one form."""


LARGEST: Final = 1e15


def is_none(value: object) -> bool:
    return value is None


def without_default(schema: dict[str, Any]) -> None:
    """Hook for `json_schema_extra`: a field that may be left out of a request but is never null has no
    default to publish.
    """
    schema.pop("default", None)


def without_null(schema: dict[str, Any]) -> None:
    """Hook for `json_schema_extra` of a response's field with `exclude_if=is_none`: it is never null."""
    schema.pop("default", None)
    drop_null(schema)


def drop_null(schema: dict[str, Any]) -> None:
    """Take null out of the types of a field or parameter."""
    choices = [choice for choice in schema.pop("anyOf", ()) if choice != {"type": "null"}]
    if len(choices) == 1:
        schema.update(choices[0])
    elif choices:
        schema["anyOf"] = choices


LEFT_OUT_IF_NONE: Final[dict[str, Any]] = {"exclude_if": is_none, "json_schema_extra": without_null}
"""Arguments of `Field` for a field of a response that is left out when it has no value."""


def always_there(*names: str) -> Callable[[dict[str, Any]], None]:
    """Hook for `json_schema_extra` of a response's model: fields that have a default in the code and are sent
    with every response, which a reader may rely on.
    """

    def publish(schema: dict[str, Any]) -> None:
        for name in names:
            schema["properties"][name].pop("default", None)
        schema["required"] = [*names, *(name for name in schema.get("required", ()) if name not in names)]

    return publish


def _in_range(value: float) -> float:
    if not 0 <= value <= LARGEST:
        raise PydanticCustomError("measure", "must be between 0 and 1e15")
    return value


Measure = Annotated[float, AfterValidator(_in_range)]
"""Number between 0 and 1e15, where all programs that write the fewest digits write the same ones. Beyond
2**53 the middle between two neighbours, which some take for one of them, can have fewer digits than both.
"""
