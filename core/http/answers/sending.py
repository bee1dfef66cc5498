"""A response on its way out: compressed where that is worth it, with the headers that every layer asked for,
and at its end one event in the access log and its share in the metrics.

Event and figures would cost more than a cached response if they were written one by one, so they are put off
and written for all requests of some milliseconds together (`core.observability.logging`).
"""

import asyncio
import time
import zlib
from bisect import bisect_left
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

import structlog
from starlette.datastructures import MutableHeaders
from starlette.types import Message, Scope, Send

from core.database.metrics import Meter
from core.http.request.context import API_HEADERS, PROBES, SUBREQUEST, RequestContext
from core.http.request.preferences import takes_gzip
from core.observability import logging, tracing
from core.observability.metrics import Counter, Histogram, observe_many

log = structlog.get_logger("handover.http")

EVENT: Final = "http.request"
CLIENT_GONE: Final = 499

# Existing dashboards scrape the two metrics by name.
_LABELS: Final = ("method", "route", "status")
_BOUNDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_REQUESTS: Final = Counter("tradingsystem_http_requests_total", "HTTP requests answered", _LABELS)
_DURATION: Final = Histogram(
    "tradingsystem_http_request_duration_seconds",
    "Seconds from the request's first byte to the response's last",
    _LABELS,
    buckets=_BOUNDS,
)
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_UNMATCHED: Final = "unmatched"
"""Route of all requests that no route answered."""

_TRACED: Final = tracing.is_configured()
_UNREAD_BODY: Final = (408, 413)
"""Statuses of requests whose body is not read to its end: the connection is closed."""

_LEVEL: Final = 6
"""Compression level: costs a third of level 9 and saves nearly as much."""
_GZIP_BITS: Final = 16 + zlib.MAX_WBITS
_THREAD_BYTES: Final = 128 * 1024
"""Size from which a thread compresses, in bytes: more would hold up the event loop."""
_LEFT: Final = (
    b"text/event-stream",
    b"image/",
    b"audio/",
    b"video/",
    b"application/zip",
    b"application/gzip",
)


class HeadAnswered(OSError):
    """Ends a stream that answers HEAD: the framework takes an OSError for a closed connection."""


class Sending:
    """Response as it is sent. `end` is called after its last byte, or when no more will come.

    A complete one from `minimum_size` bytes on is compressed with gzip where the client accepts it, a stream
    chunk by chunk; Vary is added where gzip is or would have been used. Event streams, compressed formats
    (images, archives), parts of a file and responses with `no-transform` in `Cache-Control` stay as they are:
    a download, say, whose ranges and ETag belong to the stored bytes.
    """

    def __init__(
        self, scope: Scope, context: RequestContext, meter: Meter, send: Send, minimum_size: float
    ) -> None:
        self.ended = False
        self._scope = scope
        self._context = context
        self._meter = meter
        self._server_send = send
        self._minimum_size = minimum_size
        self._start: Message | None = None
        """Held back until the first part of the body shows whether it is complete."""
        self._stream: zlib._Compress | None = None

    async def send(self, message: Message) -> None:
        more = False
        if message["type"] == "http.response.start":
            if not self._context.as_is and self._may_compress(message):
                self._start = message
                return
            message, more = self._begun(message), True
        elif message["type"] == "http.response.body":
            more = message.get("more_body", False)
            if self._start is not None or self._stream is not None:
                message = await self._compressed(message, more=more)
            if self._context.method == "HEAD":
                if not self.ended:
                    self.end()
                    await self._server_send({"type": "http.response.body", "body": b"", "more_body": False})
                if more:
                    raise HeadAnswered
                return
        await self._server_send(message)
        if not (more or self.ended):
            self.end()

    def _begun(self, start: Message) -> Message:
        """The start of the response, with all headers."""
        context, meter, status = self._context, self._meter, start["status"]
        context.status = status
        if _TRACED:  # the span ends with the last byte
            tracing.describe_request(context.method, context.request_id, self._scope.get("route"))
        timing = b'db;dur=%.2f;desc="%d %b", app;dur=%.2f' % (
            meter.seconds * 1000,
            meter.queries,
            b"query" if meter.queries == 1 else b"queries",
            (time.perf_counter() - context.started_at) * 1000,
        )
        headers = [
            *start.get("headers", ()),
            (b"x-request-id", context.request_id.encode()),
            (b"server-timing", timing),
            *(context.security or API_HEADERS),
            *context.response_headers,
        ]
        if status in _UNREAD_BODY:
            headers.append((b"connection", b"close"))
        return {**start, "headers": headers}

    def _may_compress(self, start: Message) -> bool:
        """True if the start allows compression. Looks at raw headers: most responses are small."""
        for name, value in start.get("headers", ()):
            if (
                (name == b"content-length" and int(value) < self._minimum_size)
                or name == b"content-encoding"
                or (name == b"cache-control" and b"no-transform" in value)
                or (name == b"content-type" and value.startswith(_LEFT))
            ):
                return False
        return bool(start["status"] != 206)

    async def _compressed(self, message: Message, *, more: bool) -> Message:
        """Next part of the body, compressed if it is to be; before the first one the start is sent."""
        start, self._start = self._start, None
        body = message.get("body", b"")
        headers: MutableHeaders | None = None
        if start is not None and (more or len(body) >= self._minimum_size):
            headers = MutableHeaders(raw=start["headers"])
            headers.add_vary_header("Accept-Encoding")
            if takes_gzip(self._context.headers.get(b"accept-encoding", b"")):
                self._stream = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP_BITS)
        if self._stream is not None:
            message = {**message, "body": await _deflated(self._stream, body, more=more)}
            if headers is not None:
                _describe(headers, message)
        if start is not None:
            await self._server_send(self._begun(start))
        return message

    def end(self) -> None:
        """Count and log the request. To be called once."""
        self.ended = True
        if SUBREQUEST in self._scope["state"]:
            return
        context = self._context
        seconds = time.perf_counter() - context.started_at
        fields = {
            "method": context.method,
            "route": getattr(self._scope.get("route"), "path_format", _UNMATCHED),
            "path": self._scope["path"],
            "status": context.status or CLIENT_GONE,
            "ms": round(seconds * 1000, 2),
            "queries": self._meter.queries,
            "client": context.client,
            "request_id": context.request_id,
        }
        if context.reason is not None:
            fields["reason"] = context.reason
        record(time.time(), seconds, fields)


def _describe(headers: MutableHeaders, first: Message) -> None:
    """Make the headers those of a compressed body, which begins with this message."""
    del headers["content-length"]
    if not first.get("more_body"):
        headers["content-length"] = str(len(first["body"]))
    headers["content-encoding"] = "gzip"
    if "etag" in headers:
        headers["etag"] = weak(headers["etag"])


async def _deflated(stream: "zlib._Compress", data: bytes, *, more: bool) -> bytes:
    """Next bytes of the stream, flushed, so that none of them wait for more."""

    def compress() -> bytes:
        return stream.compress(data) + stream.flush(zlib.Z_SYNC_FLUSH if more else zlib.Z_FINISH)

    return compress() if len(data) < _THREAD_BYTES else await asyncio.to_thread(compress)


async def gzip(body: bytes) -> bytes:
    """Body as gzip."""
    return await _deflated(zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP_BITS), body, more=False)


def weak(etag: str) -> str:
    """Weak ETag of the compressed form: its bytes differ from those of the strong one."""
    return etag if etag.startswith("W/") else f"W/{etag}"


def record(at: float, seconds: float, fields: dict[str, Any]) -> None:
    """Log and count a request, which took so long and ended at that time (in seconds since 1970)."""
    _deferred.add((at, seconds, fields))
    if fields["status"] >= 500 or not logging.writes_lines():
        _deferred.flush()


def _observe(requests: Sequence[tuple[float, float, dict[str, Any]]]) -> None:
    """Count requests. Equal ones are added up first, so that the metrics' files are written once for them."""
    alike: dict[tuple[str, str, int], list[float]] = {}
    for _, seconds, fields in requests:
        alike.setdefault((fields["method"], fields["route"], fields["status"]), []).append(seconds)
    for (method, route, status), times in alike.items():
        labels = (method if method in _METHODS else "OTHER", route, str(status))
        counts = [0] * (len(_BOUNDS) + 1)
        for value in times:
            counts[bisect_left(_BOUNDS, value)] += 1
        _REQUESTS.labels(*labels).inc(len(times))
        observe_many(_DURATION.labels(*labels), counts, sum(times))


def _write(requests: Sequence[tuple[float, float, dict[str, Any]]]) -> None:
    _observe(requests)
    lines, others = [], []
    as_lines = logging.writes_lines()
    for at, _, fields in requests:
        if fields["status"] >= 500:
            others.append((log.warning, fields))
        elif fields["path"] in PROBES:
            others.append((log.debug, fields))
        elif as_lines:
            lines.append(logging.info_line(EVENT, datetime.fromtimestamp(at, UTC), fields))
        else:
            others.append((log.info, fields))
    logging.write_lines(lines)
    for write, fields in others:
        write(EVENT, **fields)


_deferred: Final = logging.Deferred(_write)
