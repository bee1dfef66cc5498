"""CORS for the origins of CORS_ORIGINS and no others; without any, this layer is not installed.

It adds its headers to the request's context, so errors of every layer carry them too.
"""

from collections.abc import Sequence
from typing import Final

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from core.errors import Forbidden
from core.http.answers.errors import error_response
from core.http.request.context import context_of, header_of

_METHODS: Final = "GET, HEAD, POST, PUT, PATCH, DELETE"
_REQUEST_HEADERS: Final = (
    "Accept, Authorization, Cache-Control, Content-Type, Idempotency-Key, If-Match, If-Modified-Since, "
    "If-None-Match, If-Range, If-Unmodified-Since, Last-Event-ID, Range, X-Request-Id, X-User-Id"
)
_EXPOSED: Final = (
    b"Accept-Ranges, Allow, Content-Disposition, Content-Range, ETag, Idempotency-Replayed, Location, "
    b"RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset, Retry-After, Server-Timing, WWW-Authenticate, "
    b"X-Cache, X-Request-Id"
)
_MAX_AGE_S: Final = "600"


class OriginRefused(Forbidden):
    code = "http.origin_refused"


class Cors:
    """Layer of CORS. `*` among the origins allows every one (never with credentials: the API uses none)."""

    def __init__(self, app: ASGIApp, *, origins: Sequence[str]) -> None:
        self.app = app
        self._all = "*" in origins
        self._origins = frozenset(origin.rstrip("/").lower().encode("latin-1") for origin in origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        context = context_of(scope)
        context.headers.append((b"vary", b"Origin"))
        origin = header_of(scope, b"origin")
        if origin is None:
            await self.app(scope, receive, send)
            return
        allowed = self._all or origin.lower() in self._origins
        if allowed:
            context.headers += (
                (b"access-control-allow-origin", b"*" if self._all else origin),
                (b"access-control-expose-headers", _EXPOSED),
            )
        if scope["method"] == "OPTIONS" and header_of(scope, b"access-control-request-method") is not None:
            asked = header_of(scope, b"access-control-request-headers")
            refused = OriginRefused("Origin not allowed")
            response = _preflight(asked) if allowed else error_response(scope, refused)
            await response(scope, receive, send)
            return
        await self.app(scope, receive, send)


def _preflight(asked: bytes | None) -> Response:
    """Response to a preflight: it allows whatever headers are asked for, as the old services did."""
    headers = {
        "Access-Control-Allow-Methods": _METHODS,
        "Access-Control-Allow-Headers": asked.decode("latin-1") if asked else _REQUEST_HEADERS,
        "Access-Control-Max-Age": _MAX_AGE_S,
    }
    return Response(status_code=204, headers=headers)
