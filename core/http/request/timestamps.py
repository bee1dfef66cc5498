"""Timestamps in the clients' form: UTC, three fraction digits, `Z` (JavaScript's `toISOString`)."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema
from pydantic_core import PydanticCustomError

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
