"""Records of the old service: their shape, and the JSON of what the columns cannot hold."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Final, NamedTuple, NotRequired

import orjson
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, with_config
from typing_extensions import TypedDict

from core.errors import FieldError, Invalid
from core.http.request.fields import fault_of, from_iso, to_iso
from core.http.request.validation import MAX_DETAILS, field_errors
from features.items.api import ID_LENGTH, Category, Priority, Status

_NUL_FREE: Final = r"^[^\x00]*$"
_NOT_BLANK: Final = r"^[^\x00]*[^\x00\s][^\x00]*$"
_EXACT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
_MAX_DEPTH: Final = 64
FIELDS: Final = (
    *("id", "title", "description", "category", "priority", "status", "tags"),
    *("createdAt", "updatedAt"),
)
_KNOWN_FIELDS: Final = frozenset(FIELDS)

_Id = Annotated[str, Field(min_length=1, max_length=ID_LENGTH, pattern=_NUL_FREE)]
# The old service knew no longest title, description or tag.
_NotBlank = Annotated[str, Field(pattern=_NOT_BLANK)]
_Tags = list[Annotated[str, Field(pattern=_NUL_FREE)]]


@with_config({"strict": True, "extra": "ignore"})
class _Shape(TypedDict):
    id: _Id
    title: _NotBlank
    description: _NotBlank
    category: Category
    priority: Priority
    status: Status
    tags: NotRequired[_Tags]
    createdAt: str


_SHAPE: Final = TypeAdapter(_Shape)
_COLUMNS: Final = TypeAdapter(
    tuple[
        tuple[_Id, ...],
        tuple[_NotBlank, ...],
        tuple[_NotBlank, ...],
        tuple[Category, ...],
        tuple[Priority, ...],
        tuple[Status, ...],
        tuple[_Tags, ...],
    ],
    config=ConfigDict(strict=True),
)
"""Validator of the fields of `_Shape`, for many records at once."""


class InvalidLegacyItem(Invalid, code="imports.invalid_legacy_record"):
    """The record of the old service cannot become an item; `details` names the faults."""

    def __init__(self, details: Sequence[FieldError]) -> None:
        super().__init__(
            f"{details[0].field}: {details[0].message}" if details else "not an item", details=details
        )


class LegacyItem(NamedTuple):
    """Record of the old service, every text to the character, timestamps as `toISOString` writes them.

    `legacy` is JSON text of what the columns cannot hold, or None: `fields` (unknown fields), `spelling`
    (timestamps as the source wrote them) and `absent` (missing `tags` or `updatedAt`, which the columns
    cannot tell from empty and null).
    """

    id: str
    title: str
    description: str
    category: str
    priority: str
    status: str
    tags: list[str]
    created_at: str
    updated_at: str | None
    legacy: str | None

    @classmethod
    def parse(cls, record: object) -> "LegacyItem":
        """Item of a record. Raises `InvalidLegacyItem`, which names all known fields of a wrong shape; after
        them the first bad timestamp or unknown field.
        """
        try:
            _SHAPE.validate_python(record)
        except ValidationError as error:
            raise InvalidLegacyItem(_details(error)) from None
        assert isinstance(record, dict)  # _SHAPE is strict
        created_text, updated_text = record["createdAt"], record.get("updatedAt")
        created_at = to_milliseconds("createdAt", created_text)
        updated_at = None if updated_text is None else to_milliseconds("updatedAt", updated_text)
        legacy = None
        known = len(record) == len(_KNOWN_FIELDS) and "updatedAt" in record and "tags" in record
        if not known or created_at != created_text or updated_at != updated_text:
            legacy = _leftovers(record, created_at, updated_at)
        fields = [record[name] for name in FIELDS[:6]]
        return cls._make([*fields, record.get("tags", []), created_at, updated_at, legacy])

    @classmethod
    def parse_all(cls, records: Sequence[object]) -> "list[LegacyItem] | None":
        """Items of the records as `parse` makes them, in a third of the time, if all of them are valid and
        have just the known fields, in their order. None otherwise: call `parse`, one by one.
        """
        rows = [tuple(each.values()) for each in records if isinstance(each, dict) and tuple(each) == FIELDS]
        if not rows or len(rows) < len(records):
            return None
        *columns, created, updated = zip(*rows, strict=True)
        try:
            _COLUMNS.validate_python(tuple(columns))
            exact = all(text == to_milliseconds("createdAt", text) for text in created) and all(
                text is None or text == to_milliseconds("updatedAt", text) for text in updated
            )
        except (ValidationError, InvalidLegacyItem):
            return None
        return [cls._make((*row, None)) for row in rows] if exact else None

    @classmethod
    def of(cls, parts: Sequence[Sequence[Any]]) -> "LegacyItem":
        """Item of a parsed line."""
        fields, tags = parts
        return cls._make([*fields[:6], tags, *fields[6:]])

    def row(self) -> bytes:
        """The line of its row (`queries.digests`)."""
        return orjson.dumps((self[:6] + self[7:], self.tags))


def to_milliseconds(field: str, text: object) -> str:
    """Timestamp of an ISO 8601 text as `toISOString` writes it; finer fractions are cut, as JavaScript does,
    and no offset means UTC.
    """
    if not isinstance(text, str):
        raise InvalidLegacyItem([FieldError(field, "must be a string", text)])
    try:
        if _EXACT.fullmatch(text):
            datetime.fromisoformat(text)
            return text
        return to_iso(from_iso(text))
    except (ValueError, OverflowError):
        raise InvalidLegacyItem([FieldError(field, "must be an ISO 8601 timestamp", text)]) from None


def _leftovers(record: Mapping[str, object], created_at: str, updated_at: str | None) -> str | None:
    left: dict[str, object] = {}
    fields = {
        key: _storable(value, key, _MAX_DEPTH) for key, value in record.items() if key not in _KNOWN_FIELDS
    }
    for key in fields:
        _check_text(key, key)
    if fields:
        left["fields"] = fields
    pairs = (("createdAt", created_at), ("updatedAt", updated_at))
    if spelling := {key: record[key] for key, text in pairs if text is not None and record[key] != text}:
        left["spelling"] = spelling
    if absent := [field for field in ("tags", "updatedAt") if field not in record]:
        left["absent"] = absent
    return json.dumps(left, ensure_ascii=False, separators=(",", ":")) if left else None


def _storable(value: object, field: str, depth: int) -> object:
    """Value that PostgreSQL can store as JSON, with the same numbers from either JSON parser."""
    if depth == 0:
        raise InvalidLegacyItem([FieldError(field, f"is nested deeper than {_MAX_DEPTH} levels")])
    if isinstance(value, str):
        _check_text(value, field)
    elif isinstance(value, (float, Decimal)):
        number = float(value)
        if not math.isfinite(number):
            raise InvalidLegacyItem([FieldError(field, "is a number out of range")])
        return number
    elif isinstance(value, list):
        return [_storable(each, field, depth - 1) for each in value]
    elif isinstance(value, dict):
        for key in value:
            _check_text(key, field)
        return {key: _storable(each, field, depth - 1) for key, each in value.items()}
    return value


def _check_text(text: str, field: str) -> None:
    if (fault := fault_of(text)) is not None:
        raise InvalidLegacyItem([FieldError(field, fault)])


def _details(error: ValidationError) -> list[FieldError]:
    """Faults of a record, a hundred at most: they are many when a list in it is long."""
    errors = error.errors(include_url=False)[:MAX_DETAILS]
    for each in errors:
        each["loc"] = each["loc"] or ("record",)
        if each["type"] == "string_pattern_mismatch":
            each["type"], each["ctx"] = (
                "value_error",
                {"error": fault_of(each["input"]) or "must not be empty"},
            )
    return field_errors(errors)
