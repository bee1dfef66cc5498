"""Responses in finished JSON: one row, a page of them, the outcome of a change."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

import orjson
from pydantic import BaseModel
from starlette.responses import Response

from core.cache import Entry
from core.http.answers.conditional import body_etag
from core.http.answers.envelope import list_ends
from core.http.answers.projection import Projected

_HASHED_AT_ONCE: Final = 1_048_576
"""Upper bound of the bytes hashed on the event loop: about a millisecond."""


def row_etag(version: int, data: bytes) -> str:
    """Strong ETag of one row: its version and a digest of its JSON (`data`, as the API shows it, in UTF-8).
    The version alone would repeat when a row is deleted and imported again. PostgreSQL can compute it too.
    """
    return f'"{version}-{sha256(data).hexdigest()[:16]}"'


@dataclass(frozen=True, slots=True)
class Row:
    """Row in finished JSON: `data` is as the API shows it, in UTF-8; `version` counts the row's changes.
    `tag` is the ETag where it is another than that of the two.
    """

    version: int
    data: bytes
    tag: str | None = None

    @property
    def etag(self) -> str:
        return self.tag or row_etag(self.version, self.data)

    def entry(self) -> Entry:
        return Entry(_envelope(self.data), self.etag)


def _envelope(data: bytes, message: str | None = None) -> bytes:
    """JSON of an `Envelope` or `Done` around finished JSON."""
    said = b"" if message is None else b'"message":%b,' % orjson.dumps(message)
    return b'{"success":true,%b"data":%b}' % (said, data)


def row_of(model: type[BaseModel], row: object, version: int) -> Row:
    """Row of the typed client as the response model shows it."""
    return Row(
        version, model.model_validate(row, from_attributes=True).model_dump_json(by_alias=True).encode()
    )


def list_body(rows: Projected, total: int | None = None) -> bytes:
    """The answer of the model `ListEnvelope`."""
    return rows.json.join(list_ends(rows.count, total, rows.next_cursor))


async def text_entry(body: bytes) -> Entry:
    """Cache entry of a complete response that shows more than one row."""
    if len(body) <= _HASHED_AT_ONCE:
        return Entry(body, body_etag(body))
    return Entry(body, await asyncio.to_thread(body_etag, body))


def done(message: str, row: Row, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Response of the model `Done`: the outcome of a change, and the row that it was about."""
    body = _envelope(row.data, message)
    return Response(body, status, {"ETag": row.etag, **(headers or {})}, "application/json")
