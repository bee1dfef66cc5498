"""Pagination: `limit` and `offset`, or an opaque keyset `cursor` that stays right while rows come and go."""

import base64
import binascii
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field

from core.errors import FieldError, InvalidFields
from core.http.request.fields import Text, fault_of, to_iso

MAX_LIMIT: Final = 1000
CAP: Final = 100
MAX_OFFSET: Final = 2**31 - 1

Limit = Annotated[int, Field(ge=1, le=MAX_LIMIT, description="How many rows at most")]
CappedLimit = Annotated[
    int,
    Field(ge=1, description=f"How many at most; more than {CAP} gives {CAP}"),
    AfterValidator(lambda limit: min(limit, CAP)),
]
"""Limit for lists whose published `limit` has no bound: a large one is still answered."""
Offset = Annotated[int, Field(ge=0, le=MAX_OFFSET, description="How many rows to skip")]
Cursor = Annotated[Text, Field(max_length=2048, description="`nextCursor` of the page before")]
TextCursor = Annotated[
    Text,
    Field(
        max_length=8192,
        description="`nextCursor` of the page before, in the same order",
        json_schema_extra={"pattern": "^[A-Za-z0-9_-]*$"},
    ),
]
"""Cursor of a list that has an order by a text: room for the longest one, and the longest id."""

Scope = tuple[str, ...]
"""Name of a list, and the order and direction if it has several: its cursors are valid for no other."""
Key = datetime | int | str | None
"""Part of a row's sort key."""


@dataclass(frozen=True, slots=True)
class Position:
    """Keyset position in a list by time of creation and id: the last row of the page before."""

    created_at: datetime
    id: str


def check_start(cursor: str | None, offset: int | None) -> None:
    """Raises Invalid for a cursor together with an offset: a page begins after one of them."""
    if cursor is not None and offset:
        raise InvalidFields([FieldError("offset", "cannot be used together with cursor", offset)])


def decode_position(cursor: str, scope: Scope = ()) -> Position:
    """Position of a cursor. Raises Invalid when it is none of a place with its two parts."""
    return Position(*decode_place(scope, cursor, moment_of, str, issued_bare=True))


def encode_place(scope: Scope, *place: Key) -> str:
    """Opaque cursor of a row in an order: `place` is its sort key, the id last."""
    text = json.dumps([*scope, *map(_text, place)], ensure_ascii=False, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode_place(
    scope: Scope, cursor: str, *readers: Callable[[str], Key], issued_bare: bool = False
) -> list[Any]:
    """Sort key of a cursor; each reader parses a part of it, or raises ValueError or OverflowError.
    `issued_bare`: cursors of this order once named no scope, and remain valid.

    Raises Invalid for a cursor of another list or order, and for what is none.
    """
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        parts = json.loads(base64.b64decode(padded.encode("ascii"), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError):
        raise bad_cursor(cursor) from None
    if not isinstance(parts, list) or not all(
        isinstance(part, str) and fault_of(part) is None for part in parts
    ):
        raise bad_cursor(cursor)
    texts = parts[len(scope) :]
    if issued_bare and len(parts) == len(readers):
        texts = parts
    elif parts[: len(scope)] != list(scope) or len(texts) != len(readers):
        raise bad_cursor(cursor)
    try:
        return [read(text) for read, text in zip(readers, texts, strict=True)]
    except (ValueError, OverflowError):
        raise bad_cursor(cursor) from None


def moment_of(text: str) -> datetime:
    """Reader of a moment, in the one form that `to_iso` writes."""
    moment = datetime.fromisoformat(text)
    if to_iso(moment) != text:
        raise ValueError
    return moment


def number_of(text: str) -> int:
    """Reader of a whole number from 0 up to what a column of 32 bits holds."""
    number = int(text)
    if str(number) != text or not 0 <= number < 2**31:
        raise ValueError
    return number


def _text(key: Key) -> str:
    return to_iso(key) if isinstance(key, datetime) else "" if key is None else str(key)


def beyond(after: Position, *, newest_first: bool = True) -> list[Any]:
    """Condition ("AND" of a typed call) for the rows after the position."""
    past, further = ("lt", "gt") if newest_first else ("gt", "lt")
    # The first condition repeats part of the second: it is the one that an index can jump to.
    return [
        {"created_at": {f"{past}e": after.created_at}},
        {"OR": [{"created_at": {past: after.created_at}}, {"id": {further: after.id}}]},
    ]


def bad_cursor(cursor: str) -> InvalidFields:
    """Error for a cursor that is none of ours, or of another list or order."""
    message = "must be the nextCursor of an earlier answer of this list in this order"
    return InvalidFields([FieldError("cursor", message, cursor)])
