"""Paging: `limit` and `offset`, or an opaque keyset `cursor` that stays right while rows come and go."""

import base64
import binascii
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field

from core.errors import FieldError, Invalid
from core.http.text import Text, fault_of
from core.http.timestamps import to_iso

MAX_LIMIT: Final = 1000
CAP: Final = 100
MAX_OFFSET: Final = 2**31 - 1

Limit = Annotated[int, Field(ge=1, le=MAX_LIMIT, description="How many rows at most")]
CappedLimit = Annotated[
    int,
    Field(ge=1, description=f"How many at most; more than {CAP} gives {CAP}"),
    AfterValidator(lambda limit: min(limit, CAP)),
]
"""For lists whose published `limit` has no bound: a large one is still answered."""
Offset = Annotated[int, Field(ge=0, le=MAX_OFFSET, description="How many rows to skip")]
Cursor = Annotated[Text, Field(max_length=2048, description="`nextCursor` of the page before")]


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a list that goes by time of creation and id: the row that the page before ended with."""

    created_at: datetime
    id: str


def position_cursor(position: Position) -> str:
    return encode_cursor(to_iso(position.created_at), position.id)


def decode_position(cursor: str) -> Position:
    """Raises Invalid when it is not a cursor of `position_cursor`."""
    moment, row_id = decode_cursor(cursor, 2)
    try:
        created_at = datetime.fromisoformat(moment)
        if to_iso(created_at) != moment:
            raise ValueError
    except (ValueError, OverflowError):
        raise bad_cursor(cursor) from None
    return Position(created_at, row_id)


def beyond(after: Position, *, newest_first: bool = True) -> list[Any]:
    """What a typed call asks ("AND") of the rows that come after the position."""
    past, further = ("lt", "gt") if newest_first else ("gt", "lt")
    # The first condition repeats part of the second: it is the one that an index can jump to.
    return [
        {"created_at": {f"{past}e": after.created_at}},
        {"OR": [{"created_at": {past: after.created_at}}, {"id": {further: after.id}}]},
    ]


def encode_cursor(*parts: str) -> str:
    """The sort key of a page's last row, to be handed back as it is."""
    text = json.dumps(parts, ensure_ascii=False, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode_cursor(cursor: str, parts: int) -> tuple[str, ...]:
    """The sort key behind a cursor of `parts` parts. Raises Invalid when it is not one of ours."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        values = json.loads(base64.b64decode(padded.encode("ascii"), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError):
        raise bad_cursor(cursor) from None
    if not isinstance(values, list) or len(values) != parts:
        raise bad_cursor(cursor)
    for value in values:
        if not isinstance(value, str) or fault_of(value) is not None:
            raise bad_cursor(cursor)
    return tuple(values)


def bad_cursor(cursor: str) -> Invalid:
    """For a cursor that is none of ours, or of another list."""
    message = "must be the nextCursor of an earlier answer"
    return Invalid("Validation failed", details=[FieldError("cursor", message, cursor)])
