"""Route of the API for the pages' scripts, `/console/api/…`: the same API, asked with the key of the
person's session, streamed both ways (progress, changes, downloads, uploads).
"""

from typing import Final
from urllib.parse import unquote_to_bytes

from fastapi import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from core.errors import NotFound
from core.http.request.body import allow_body
from core.http.request.context import SUBREQUEST, context_of
from features.console.router.messages import ROOT
from features.console.router.pages import router
from features.console.router.visit import ANY_SIZE, Visited

_ROOT: Final = ROOT.encode()
_PREFIX: Final = _ROOT + b"/api/"
_SAFE: Final = frozenset({"GET", "HEAD"})
_PASSED: Final = frozenset(
    (
        *("accept", "accept-encoding", "content-encoding", "content-length", "content-type", "host"),
        *("idempotency-key", "if-match", "if-modified-since", "if-none-match", "if-range", "last-event-id"),
        *("range", "transfer-encoding", "x-forwarded-for"),
    )
)
_OUTER: Final = frozenset({b"x-request-id", b"server-timing", b"x-content-type-options", b"x-frame-options"})
"""Headers that the outer answer has anyway. Both content security policies are sent: the stricter one
holds.
"""


class _Passed(Response):
    """Answer of the API to a request with other headers."""

    def __init__(self, visit: Visited) -> None:
        self._visit = visit
        self.background = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        given = {name: text for name, text in self._visit.request.headers.items() if name in _PASSED}
        named = {name: text for name, text in self._visit.api.headers.items() if name != "accept"}
        raw: bytes = scope["raw_path"].partition(b"?")[0].removeprefix(_ROOT)
        inner: Scope = {
            **{name: scope[name] for name in ("type", "asgi", "http_version", "scheme", "query_string")},
            **{name: scope.get(name) for name in ("client", "server", "root_path")},
            "method": context_of(scope).method,
            "state": {SUBREQUEST: True},
            "path": unquote_to_bytes(raw).decode(errors="replace"),
            "raw_path": raw,
            "headers": [(name.encode(), text.encode("utf-8")) for name, text in {**given, **named}.items()],
        }

        async def passed(message: Message) -> None:
            if message["type"] == "http.response.start":
                kept = [pair for pair in message["headers"] if pair[0].lower() not in _OUTER]
                message = {**message, "headers": kept}
            await send(message)

        await self._visit.api.app(inner, receive, passed)


@router.api_route("/api/{path:text}", methods=["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def pass_on(request: Request, visit: Visited) -> Response:
    """Raises NotFound for a prefix that is written in another way: what is passed on begins with `/api/` and
    never comes back here.
    """
    if not request.scope["raw_path"].startswith(_PREFIX):
        raise NotFound("Route not found")
    if context_of(request.scope).method not in _SAFE:
        visit.check_form(None, {})
        allow_body(request, ANY_SIZE)
    return _Passed(visit)
