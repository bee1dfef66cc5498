"""Answers that statements made: finished JSON, which nobody parses."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

import orjson
from starlette.responses import Response

from core.cache import Entry
from core.http.conditional import Precondition, body_etag, row_entry, row_etag

LONG: Final = 1_048_576
"""Bytes that take a millisecond to hash: more of them would hold up other requests."""


@dataclass(frozen=True, slots=True)
class Row:
    """`data` is a row's JSON as the API shows it, in UTF-8; `version` counts the row's changes."""

    version: int
    data: bytes

    @classmethod
    def parse(cls, text: bytes) -> Self:
        """Of `<version> <data>`, the one form in which statements give a row."""
        version, _, data = text.partition(b" ")
        return cls(int(version), data)

    def entry(self) -> Entry:
        return row_entry(self.version, self.data)


async def text_entry(body: bytes) -> Entry:
    """A whole answer that shows more than one row."""
    if len(body) <= LONG:
        return Entry(body, body_etag(body))
    return Entry(body, await asyncio.to_thread(body_etag, body))


def wanted_tags(precondition: Precondition) -> list[str] | None:
    """The ETags of which a row must have one to be changed; None: any will do."""
    tags = precondition.tags
    return None if tags is None or "*" in tags else list(tags)


def done(message: str, row: Row, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """What became of a request, and the row that it was about: an answer of the model `Done`."""
    body = b'{"success":true,"message":%b,"data":%b}' % (orjson.dumps(message), row.data)
    etag = {"ETag": row_etag(row.version, row.data)}
    return Response(body, status, {**etag, **(headers or {})}, "application/json")
