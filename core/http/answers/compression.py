"""Compression with gzip where the client accepts it: complete responses above a size, streams chunk by chunk.

Event streams, compressed formats (images, archives), parts of a file and responses with `no-transform` in
`Cache-Control` stay as they are: a download, say, whose ranges and ETag belong to the stored bytes.
"""

import asyncio
import re
import zlib
from functools import lru_cache
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.http.request.context import RequestContext

_LEVEL: Final = 6
"""Compression level: costs a third of level 9 and saves nearly as much."""
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
_GZIP: Final = frozenset({b"gzip", b"x-gzip"})
_WEIGHT: Final = re.compile(rb"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?")


class Compression:
    """Layer of compression. Adds Vary where gzip is or would have been used."""

    def __init__(self, app: ASGIApp, *, minimum_size: int) -> None:
        self.app = app
        self.minimum_size = minimum_size

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        compressor = _Compressor(scope["state"]["context"], send, self.minimum_size)
        await self.app(scope, receive, compressor.send)


class _Compressor:
    """One response. Its start is held back until the first part of its body shows whether it is complete."""

    def __init__(self, context: RequestContext, send: Send, minimum_size: int) -> None:
        self.context = context
        self.server_send = send
        self.minimum_size = minimum_size
        self.start: Message | None = None
        self.stream: _Stream | None = None

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start" and self._may_compress(message):
            self.start = message
            return
        if message["type"] == "http.response.body":
            if self.start is not None:
                start, self.start = self.start, None
                self._begin(start, message)
                message = await self._compressed(message)
                if self.stream is not None and not message.get("more_body"):
                    MutableHeaders(raw=start["headers"])["content-length"] = str(len(message["body"]))
                await self.server_send(start)
            else:
                message = await self._compressed(message)
        await self.server_send(message)

    def _may_compress(self, start: Message) -> bool:
        """True if the start allows compression. Looks at raw headers: most responses are small."""
        for name, value in start["headers"]:
            if (
                (name == b"content-length" and int(value) < self.minimum_size)
                or name == b"content-encoding"
                or (name == b"cache-control" and b"no-transform" in value)
                or (name == b"content-type" and value.startswith(_LEFT))
            ):
                return False
        return bool(start["status"] != 206)

    def _begin(self, start: Message, message: Message) -> None:
        if not message.get("more_body") and len(message.get("body", b"")) < self.minimum_size:
            return
        headers = MutableHeaders(raw=start["headers"])
        headers.add_vary_header("Accept-Encoding")
        if takes_gzip(self.context.headers.get(b"accept-encoding")):
            self.stream = _Stream()
            del headers["content-length"]
            headers["content-encoding"] = "gzip"
            if "etag" in headers:
                headers["etag"] = weak(headers["etag"])

    async def _compressed(self, message: Message) -> Message:
        if self.stream is None:
            return message
        more = message.get("more_body", False)
        return {**message, "body": await self.stream.compress(message.get("body", b""), more=more)}


class _Stream:
    """Streaming gzip; each piece is flushed, so that none waits for the next one."""

    def __init__(self) -> None:
        self._zlib = zlib.compressobj(_LEVEL, zlib.DEFLATED, 16 + zlib.MAX_WBITS)

    async def compress(self, data: bytes, *, more: bool) -> bytes:
        if len(data) < _THREAD_BYTES:
            return self._compress(data, more)
        return await asyncio.to_thread(self._compress, data, more)

    def _compress(self, data: bytes, more: bool) -> bytes:
        return self._zlib.compress(data) + self._zlib.flush(zlib.Z_SYNC_FLUSH if more else zlib.Z_FINISH)


async def gzip(body: bytes) -> bytes:
    """Body as gzip."""
    return await _Stream().compress(body, more=False)


def weak(etag: str) -> str:
    """Weak ETag of the compressed form: its bytes differ from those of the strong one."""
    return etag if etag.startswith("W/") else f"W/{etag}"


@lru_cache(maxsize=128)
def takes_gzip(accepted: bytes | None) -> bool:
    """True when an `Accept-Encoding` (RFC 9110, 12.5.3) has gzip and does not prefer plain bytes to it. What
    is malformed is not accepted.
    """
    weights: dict[bytes, float] = {}
    for entry in (accepted or b"").lower().split(b","):
        coding, *parameters = [part.strip(b" \t") for part in entry.split(b";")]
        name = b"gzip" if coding in _GZIP else coding
        weights[name] = min(_weight(parameters), weights.get(name, 1.0))
    weight = weights.get(b"gzip", weights.get(b"*", 0.0))
    return weight > 0 and weight >= weights.get(b"identity", 0.0)


def _weight(parameters: list[bytes]) -> float:
    if not parameters:
        return 1.0
    name, _, value = parameters[0].partition(b"=")
    value = value.lstrip(b" \t")
    return float(value) if name.rstrip(b" \t") == b"q" and _WEIGHT.fullmatch(value) else 0.0
