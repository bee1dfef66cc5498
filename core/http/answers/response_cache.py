"""Response cache: known URLs are answered before routing, without validation or serialization.

A URL is parsed and validated once. When its route answered it through `cached_response` under a `by_url`
policy (whose promise is that path and query alone decide the answer), what that resolved to is remembered,
and later requests for the same bytes of URL are answered here: same body, same headers. The memory says
where an answer is, never what it is: whether an entry may still be used is the cache's decision each time.

URLs are compared byte by byte, so an unusual spelling only takes the long way once more. Errors are not
remembered, which keeps unknown ids out.
"""

from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import Final

from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from core.cache import Address, Cache, Entry, Outcome
from core.errors import HandoverError, PreconditionFailed
from core.http.answers.conditional import REVALIDATE, Resolved, is_unchanged
from core.http.answers.long_lists import LongList
from core.http.answers.sending import gzip, weak
from core.http.request.context import Header, RequestContext
from core.http.request.preferences import takes_gzip
from core.platform import Platform

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
        context.as_is = True
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
