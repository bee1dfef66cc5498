"""Response cache, and compression. Known URLs are answered before routing, without validation or
serialization.

A URL is parsed and validated once. When its route answered it through `cached_response` under a `by_url`
policy (whose promise is that path and query alone decide the answer), what that resolved to is remembered,
and later requests for the same bytes of URL are answered here: same body, same headers. The memory says
where an answer is, never what it is: whether an entry may still be used is the cache's decision each time.

URLs are compared byte by byte, so an unusual spelling only takes the long way once more. Errors are not
remembered, which keeps unknown ids out.
"""

import asyncio
import zlib
from collections import OrderedDict
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.cache import Address, Cache, Entry, Outcome
from core.errors import HandoverError, PreconditionFailed
from core.http.answers.conditional import REVALIDATE, Resolved, is_unchanged
from core.http.answers.long_lists import LongList
from core.http.request.context import Header, RequestContext
from core.http.request.preferences import weights
from core.platform import Platform

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


MAX_URLS: Final = 4096
MAX_URL_BYTES: Final = 1024

_GZIP_MAGIC: Final = b"\x1f\x8b"
_REVALIDATE: Final[Header] = (b"cache-control", REVALIDATE.encode())
_VARY: Final[Header] = (b"vary", b"Accept-Encoding")
_JSON: Final[Header] = (b"content-type", b"application/json")
_GZIP: Final[Header] = (b"content-encoding", b"gzip")
_X_CACHE: Final[dict[Outcome, Header]] = {
    outcome: (b"x-cache", outcome.value.encode()) for outcome in Outcome
}


class Compression:
    """Layer of compression with gzip where the client accepts it: complete responses above a size, streams
    chunk by chunk. Adds Vary where gzip is or would have been used.

    Event streams, compressed formats (images, archives), parts of a file and responses with `no-transform`
    in `Cache-Control` stay as they are: a download, say, whose ranges and ETag belong to the stored bytes.
    """

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
                        stream = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP_BITS)
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
    return await _compressed(zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP_BITS), body, more=False)


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


@dataclass(slots=True)
class _Known:
    """Known URL. `plain` and `gzip` are the cache addresses of the response's two forms. `short`: when last
    loaded it was not worth compressing, so that there is one form.
    """

    resolved: Resolved
    route: BaseRoute
    plain: Address
    gzip: Address
    short: bool = False


class ResponseCache:
    def __init__(self, app: ASGIApp, *, minimum_size: int) -> None:
        self.app = app
        self.minimum_size = minimum_size
        self._platform: Platform | None = None
        self._known: OrderedDict[tuple[bytes, bytes], _Known] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        context: RequestContext = scope["state"]["context"]
        platform = context.platform
        if platform is None or scope["method"] != "GET":
            await self.app(scope, receive, send)
            return
        if platform is not self._platform:  # the app was started again: what was resolved belongs to the past
            self._platform = platform
            self._known.clear()
        url = (scope.get("raw_path", b""), scope["query_string"])
        known = self._known.get(url)
        if known is None:
            await self.app(scope, receive, send)
            self._remember(url, scope)
            return
        self._known.move_to_end(url)
        scope["route"] = known.route  # for the metrics and the log
        try:
            status, headers, body = await self._answer(platform.cache, known, context)
        except LongList:
            self._known.pop(url, None)
            await self.app(scope, receive, send)
            return
        except HandoverError as error:
            if not isinstance(error, PreconditionFailed):  # which says nothing about the URL
                self._known.pop(url, None)
            raise
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _answer(
        self, cache: Cache, known: _Known, context: RequestContext
    ) -> tuple[int, list[Header], bytes]:
        compressed = takes_gzip(context.headers.get(b"accept-encoding", b""))
        entry = cache.peek(known.gzip if compressed and not known.short else known.plain)
        outcome = Outcome.HIT
        if entry is None or (compressed and known.short and len(entry.body) >= self.minimum_size):
            entry, outcome = await self._load(cache, known, entry, compressed=compressed)
        body = entry.body
        zipped = compressed and body.startswith(_GZIP_MAGIC)
        headers = [(b"etag", entry.etag.encode("latin-1")), _REVALIDATE, _X_CACHE[outcome]]
        if zipped or len(body) >= self.minimum_size:
            headers.append(_VARY)
        if is_unchanged(context, entry.etag):
            return 304, headers, b""
        if zipped:
            headers[0] = (b"etag", weak(entry.etag).encode("latin-1"))
            headers.append(_GZIP)
        headers += ((b"content-length", b"%d" % len(body)), _JSON)
        return 200, headers, body

    def _remember(self, url: tuple[bytes, bytes], scope: Scope) -> None:
        """Remember a URL that the route has answered with success."""
        context: RequestContext = scope["state"]["context"]
        resolved, route = context.resolved, scope.get("route")
        if resolved is None or not resolved.policy.by_url or route is None:
            return
        if context.status not in (200, 304) or not url[0] or len(url[0]) + len(url[1]) > MAX_URL_BYTES:
            return
        address = resolved.policy.address(resolved.key)
        self._known[url] = _Known(resolved, route, address, address.variant("gzip"))
        if len(self._known) > MAX_URLS:
            self._known.popitem(last=False)

    async def _load(
        self, cache: Cache, known: _Known, plain: Entry | None, *, compressed: bool
    ) -> tuple[Entry, Outcome]:
        """Entry of a known URL. Its compressed form is made of the plain one, and valid as long."""
        resolved, outcome = known.resolved, Outcome.HIT
        if plain is None and compressed:
            plain = cache.peek(known.plain)
        if plain is None:
            plain, outcome = await cache.get_or_load(resolved.policy, resolved.key, resolved.load)
        known.short = len(plain.body) < self.minimum_size
        if known.short or not compressed:
            return plain, outcome
        entry = replace(plain, body=await gzip(plain.body))
        cache.keep(known.gzip, entry, of=known.plain, as_of=plain)
        return entry, outcome
