"""Timestamps as the clients know them: UTC, three fraction digits, `Z` (JavaScript's `toISOString`)."""

import re
from datetime import UTC, datetime
from typing import Annotated, Final

from pydantic import AfterValidator, BeforeValidator, PlainSerializer, WithJsonSchema
from pydantic_core import PydanticCustomError

_EXAMPLE = "2025-10-23T22:45:24.940Z"
_ISO_8601: Final = re.compile(
    r"\d{4}-?\d\d-?\d\d(?:[Tt ]\d\d(?::?\d\d(?::?\d\d(?:[.,]\d+)?)?)?(?:[Zz]|[+-]\d\d(?::?\d\d)?)?)?"
)


def to_iso(moment: datetime) -> str:
    """`2025-10-23T22:45:24.940Z`. A moment without a zone is taken as UTC; microseconds are cut off."""
    if moment.tzinfo is not None and moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def from_iso(text: str) -> datetime:
    """An ISO 8601 timestamp, in its basic and its extended form, in UTC; without an offset it means UTC.

    Raises ValueError or, outside the years 1 to 9999, OverflowError.
    """
    if not _ISO_8601.fullmatch(text):
        raise ValueError("not an ISO 8601 timestamp")
    moment = datetime.fromisoformat(text.upper())
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def now() -> datetime:
    """The present in the precision that is stored: milliseconds."""
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def _read(value: object) -> object:
    if isinstance(value, datetime):
        return value
    # pydantic would take a number, or digits alone, as seconds since 1970: not an ISO 8601 timestamp.
    if not isinstance(value, str) or value.strip().lstrip("+-").replace(".", "", 1).isdigit():
        raise PydanticCustomError("timestamp", f"must be an ISO 8601 timestamp such as {_EXAMPLE}")
    try:
        return from_iso(value.strip())
    except (ValueError, OverflowError):
        return value


def _utc_milliseconds(moment: datetime) -> datetime:
    try:
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError:
        raise PydanticCustomError("timestamp", "must be between the years 1 and 9999 in UTC") from None
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


Timestamp = Annotated[
    datetime,
    BeforeValidator(_read),
    AfterValidator(_utc_milliseconds),
    PlainSerializer(to_iso, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": [_EXAMPLE]}),
]
"""Takes any ISO 8601 timestamp (without a zone: UTC) and writes the one form."""
