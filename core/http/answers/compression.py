"""Compression with gzip where the client accepts it: complete responses above a size, streams chunk by chunk.

Event streams, compressed formats (images, archives), parts of a file and responses with `no-transform` in
`Cache-Control` stay as they are: a download, say, whose ranges and ETag belong to the stored bytes.
"""

import asyncio
import zlib
from functools import lru_cache
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.http.request.context import RequestContext
from core.http.request.preferences import weights

_LEVEL: Final = 6
"""Compression level: costs a third of level 9 and saves nearly as much."""
_GZIP: Final = 16 + zlib.MAX_WBITS
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


class Compression:
    """Layer of compression. Adds Vary where gzip is or would have been used."""

    def __init__(self, app: ASGIApp, *, minimum_size: int) -> None:
        self.app = app
        self.minimum_size = minimum_size

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        context: RequestContext = scope["state"]["context"]
        # Held back until the first part of the body shows whether it is complete.
        start: Message | None = None
        stream: zlib._Compress | None = None

        async def send_compressed(message: Message) -> None:
            nonlocal start, stream
            if message["type"] == "http.response.start" and self._may_compress(message):
                start = message
                return
            if message["type"] == "http.response.body":
                begun, start = start, None
                body, more = message.get("body", b""), message.get("more_body", False)
                if begun is not None and (more or len(body) >= self.minimum_size):
                    MutableHeaders(raw=begun["headers"]).add_vary_header("Accept-Encoding")
                    if takes_gzip(context.headers.get(b"accept-encoding", b"")):
                        stream = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
                if stream is not None:
                    message = {**message, "body": await _compressed(stream, body, more=more)}
                    if begun is not None:
                        _describe(MutableHeaders(raw=begun["headers"]), message)
                if begun is not None:
                    await send(begun)
            await send(message)

        await self.app(scope, receive, send_compressed)

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


def _describe(headers: MutableHeaders, first: Message) -> None:
    """Make the headers those of a compressed body, which begins with this message."""
    del headers["content-length"]
    if not first.get("more_body"):
        headers["content-length"] = str(len(first["body"]))
    headers["content-encoding"] = "gzip"
    if "etag" in headers:
        headers["etag"] = weak(headers["etag"])


async def _compressed(stream: "zlib._Compress", data: bytes, *, more: bool) -> bytes:
    """Next bytes of the stream, flushed, so that none of them wait for more."""

    def compress() -> bytes:
        return stream.compress(data) + stream.flush(zlib.Z_SYNC_FLUSH if more else zlib.Z_FINISH)

    return compress() if len(data) < _THREAD_BYTES else await asyncio.to_thread(compress)


async def gzip(body: bytes) -> bytes:
    """Body as gzip."""
    return await _compressed(zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP), body, more=False)


def weak(etag: str) -> str:
    """Weak ETag of the compressed form: its bytes differ from those of the strong one."""
    return etag if etag.startswith("W/") else f"W/{etag}"


@lru_cache(maxsize=128)
def takes_gzip(accepted: bytes) -> bool:
    """True when an `Accept-Encoding` (RFC 9110, 12.5.3) has gzip and does not prefer plain bytes to it."""
    given = weights(accepted)
    named = [given[name] for name in (b"gzip", b"x-gzip") if name in given]
    weight = min(named, default=given.get(b"*", 0.0))
    return weight > 0 and weight >= given.get(b"identity", 0.0)
