"""Responses in finished JSON: one row, a page of them, the outcome of a change."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pydantic import BaseModel
from starlette.responses import Response

from core.cache import Entry
from core.http.answers.conditional import body_etag, row_etag
from core.http.answers.envelope import envelope_json, list_ends
from core.http.answers.projection import Projected

LONG: Final = 1_048_576
"""Upper bound of the bytes hashed on the event loop: about a millisecond."""


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
        return Entry(envelope_json(self.data), self.etag)


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
    if len(body) <= LONG:
        return Entry(body, body_etag(body))
    return Entry(body, await asyncio.to_thread(body_etag, body))


def done(message: str, row: Row, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Response of the model `Done`: the outcome of a change, and the row that it was about."""
    body = envelope_json(row.data, message)
    return Response(body, status, {"ETag": row.etag, **(headers or {})}, "application/json")
