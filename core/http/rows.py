"""Answers that statements made: finished JSON, which nobody parses."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import orjson
from pydantic import BaseModel
from starlette.responses import Response

from core.cache import Entry
from core.errors import HandoverError
from core.http.conditional import Precondition, body_etag, row_entry, row_etag
from core.http.projection import Projected

LONG: Final = 1_048_576
"""Bytes that take a millisecond to hash: more of them would hold up other requests."""


@dataclass(frozen=True, slots=True)
class Row:
    """`data` is a row's JSON as the API shows it, in UTF-8; `version` counts the row's changes."""

    version: int
    data: bytes

    @property
    def etag(self) -> str:
        return row_etag(self.version, self.data)

    def entry(self) -> Entry:
        return row_entry(self.version, self.data)


def row_of(model: type[BaseModel], row: object, version: int) -> Row:
    """A row of the typed client as the response model shows it."""
    return Row(
        version, model.model_validate(row, from_attributes=True).model_dump_json(by_alias=True).encode()
    )


@dataclass(frozen=True, slots=True)
class Seen:
    """The tag of a row, and the columns (with their values) that say that it is still the same. Where ids can
    be imported again versions begin anew, so those name the import too.
    """

    etag: str
    still: Mapping[str, object]


Stored = TypeVar("Stored")
WriteRow = Callable[[Any], Awaitable[Stored | None]]
"""One typed update or delete `where` the conditions hold; None when it found no row."""


async def as_seen(
    precondition: Precondition,
    row_id: str,
    find: Callable[[], Awaitable[Seen | None]],
    write: WriteRow[Stored],
    not_found: Callable[[str], HandoverError],
    changed: Callable[[str], HandoverError],
) -> Stored:
    """Writes a row that is as its writer has seen it: the write itself asks for that again, or a change after
    the look would be lost. Raises `not_found` or `changed`.
    """
    still: Mapping[str, object] = {}
    if not precondition.takes_any:
        if (found := await find()) is None:
            raise not_found(row_id)
        if not precondition.takes(found.etag):
            raise changed(row_id)
        still = found.still
    if (written := await write({"id": row_id, **still})) is not None:
        return written
    raise not_found(row_id) if precondition.takes_any or await find() is None else changed(row_id)


def list_body(rows: Projected, total: int | None = None) -> bytes:
    """The answer of the model `ListEnvelope`."""
    counted = b"" if total is None else b',"total":%d' % total
    cursor = b"" if rows.next_cursor is None else b',"nextCursor":"%b"' % rows.next_cursor.encode()
    return b'{"success":true,"count":%d%b%b,"data":[%b]}' % (rows.count, counted, cursor, rows.json)


async def text_entry(body: bytes) -> Entry:
    """A whole answer that shows more than one row."""
    if len(body) <= LONG:
        return Entry(body, body_etag(body))
    return Entry(body, await asyncio.to_thread(body_etag, body))


def done(message: str, row: Row, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """What became of a request, and the row that it was about: an answer of the model `Done`."""
    body = b'{"success":true,"message":%b,"data":%b}' % (orjson.dumps(message), row.data)
    return Response(body, status, {"ETag": row.etag, **(headers or {})}, "application/json")
