"""Downloads of stored bytes: conditional requests, byte ranges, and headers that are safe for any name and
type.

Everything is served as an attachment and inside a sandbox, so that no SVG, HTML or XML that somebody uploaded
can run in the origin of the API.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from core.errors import PreconditionFailed, RangeNotSatisfiable
from core.http.answers.conditional import is_unchanged
from core.http.answers.envelope import error_responses
from core.http.answers.errors import error_response
from core.http.request.context import context_of

# A transformed answer (gzip) would have another length, other ranges and another tag.
_CACHING: Final = "private, no-cache, no-transform"
_INERT: Final = "sandbox; default-src 'none'"
_ATTRIBUTE_CHARACTERS: Final = "!#$&+-.^_`|~"
_RANGE: Final = re.compile(r"\s*bytes\s*=\s*(\d{0,40})\s*-\s*(\d{0,40})\s*", re.ASCII | re.IGNORECASE)
_BLOCK_BYTES: Final = 256 * 1024
_BINARY: Final = {"schema": {"type": "string", "format": "binary"}}
STREAM: Final = {"application/octet-stream": _BINARY, "*/*": _BINARY}
"""Content of any type, for the document."""
RESPONSES: Final[dict[int | str, dict[str, Any]]] = {
    **error_responses(PreconditionFailed, RangeNotSatisfiable),
    206: {"description": "A part of it", "content": STREAM},
    304: {"description": "The client has it already"},
}
"""Responses of a download beside the whole, for the document."""


@dataclass(frozen=True, slots=True)
class Representation:
    """Representation of stored bytes. `checksum`, which other bytes have not, becomes the strong ETag."""

    checksum: str
    modified: datetime
    size: int
    media_type: str
    filename: str

    @property
    def etag(self) -> str:
        return f'"{self.checksum}"'


@dataclass(frozen=True, slots=True)
class Span:
    """Byte range to send: from `start` up to, not including, `end`. `partial`: as 206."""

    start: int
    end: int
    partial: bool


def attachment(filename: str) -> str:
    """`Content-Disposition` for any name: ASCII for old clients, UTF-8 for others (RFC 6266, 8187)."""
    plain = re.sub(r"[^\x20-\x7e]|[\"%\\/;]", "_", filename)
    # What is no UTF-8 (a lone surrogate) cannot be written in either form.
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''" + quote(
        filename.encode("utf-8", "replace"), safe=_ATTRIBUTE_CHARACTERS
    )


def requested_span(request: Request, stored: Representation) -> Span | Response:
    """Range of bytes to send, or a complete response: 304, 416, or HEAD's. Raises PreconditionFailed."""
    if _is_unchanged(request, stored):
        return Response(status_code=304, headers=_headers(stored, None))
    try:
        span = _span(request, stored)
    except RangeNotSatisfiable as error:
        response = error_response(request.scope, error)
        response.headers["Content-Range"] = f"bytes */{stored.size}"
        return response
    if context_of(request.scope).method == "HEAD":
        return Response(status_code=_status(span), headers=_headers(stored, span))
    return span


def _is_unchanged(request: Request, stored: Representation) -> bool:
    """True for a 304. Conditions on dates count where there is none on tags, in the order of RFC 9110
    (13.2.2). Raises PreconditionFailed.
    """
    context, modified = context_of(request.scope), _http_moment(stored.modified)
    until = _http_date(context.headers.get(b"if-unmodified-since"))
    if until is not None and modified > until and b"if-match" not in context.headers:
        raise PreconditionFailed("It was modified after If-Unmodified-Since: read it without")
    if is_unchanged(context, stored.etag):
        return True
    since = _http_date(context.headers.get(b"if-modified-since"))
    return since is not None and modified <= since and b"if-none-match" not in context.headers


def content_response(stored: Representation, span: Span, content: AsyncIterator[bytes]) -> Response:
    return StreamingResponse(content, _status(span), _headers(stored, span))


async def file_response(request: Request, path: Path, media_type: str) -> Response:
    """Download of a file that does not change any more. Raises PreconditionFailed."""
    found = await asyncio.to_thread(path.stat)
    stored = Representation(
        f"{found.st_mtime_ns:x}-{found.st_size:x}",
        datetime.fromtimestamp(found.st_mtime, UTC),
        found.st_size,
        media_type,
        path.name,
    )
    span = requested_span(request, stored)
    return span if isinstance(span, Response) else content_response(stored, span, _blocks(path, span))


async def _blocks(path: Path, span: Span) -> AsyncIterator[bytes]:
    with await asyncio.to_thread(path.open, "rb") as file:
        file.seek(span.start)
        left = span.end - span.start
        while left and (block := await asyncio.to_thread(file.read, min(left, _BLOCK_BYTES))):
            left -= len(block)
            yield block


def _status(span: Span) -> int:
    return 206 if span.partial else 200


def _headers(stored: Representation, span: Span | None) -> Mapping[str, str]:
    """Headers of the response; without a span those of a 304, which repeats no description of the content."""
    headers = {
        "ETag": stored.etag,
        "Last-Modified": format_datetime(_http_moment(stored.modified), usegmt=True),
        "Cache-Control": _CACHING,
    }
    if span is None:
        return headers
    headers |= {
        "Content-Type": stored.media_type,
        "Content-Length": str(span.end - span.start),
        "Content-Disposition": attachment(stored.filename),
        "Content-Security-Policy": _INERT,
        "Accept-Ranges": "bytes",
    }
    if span.partial:
        headers["Content-Range"] = f"bytes {span.start}-{span.end - 1}/{stored.size}"
    return headers


def _span(request: Request, stored: Representation) -> Span:
    """Requested range. Several, another unit or a malformed one: the whole, as RFC 9110 (14.2) allows."""
    whole = Span(0, stored.size, partial=False)
    header = context_of(request.scope).headers.get(b"range")
    found = _RANGE.fullmatch(header.decode("latin-1")) if header is not None else None
    if found is None or not _still_same(request, stored):
        return whole
    first, last = found.groups()
    if not first and not last:
        return whole
    if first and last and int(last) < int(first):
        return whole
    if first:
        start, end = int(first), min(int(last) + 1, stored.size) if last else stored.size
    else:
        start, end = max(stored.size - int(last), 0), stored.size
    if start >= end:
        raise RangeNotSatisfiable(f"The file has {stored.size} bytes; the range begins behind its end")
    return Span(start, end, partial=True)


def _still_same(request: Request, stored: Representation) -> bool:
    """True if `If-Range` is absent or names this representation, compared strongly (RFC 9110, 13.1.5)."""
    header = context_of(request.scope).headers.get(b"if-range")
    if header is None:
        return True
    validator = header.decode("latin-1").strip()
    return validator == stored.etag or _http_date(header) == _http_moment(stored.modified)


def _http_moment(moment: datetime) -> datetime:
    """Moment in whole seconds, as HTTP dates have."""
    return moment.astimezone(UTC).replace(microsecond=0)


def _http_date(header: bytes | None) -> datetime | None:
    """Moment of an HTTP date; None for an invalid one: its condition does not count (RFC 9110, 13.1.3)."""
    if header is None:
        return None
    try:
        moment = parsedate_to_datetime(header.decode("latin-1"))
    except (ValueError, OverflowError):
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
