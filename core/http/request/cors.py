"""CORS for the origins of CORS_ORIGINS and no others; without any, this check is not made.

It adds its headers to the request's context, so errors of every layer carry them too.
"""

from collections.abc import Sequence
from typing import Final

from starlette.responses import Response
from starlette.types import Scope

from core.errors import Forbidden
from core.http.request.context import RequestContext

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
    """Check of origins. `*` among them allows every one (never with credentials: the API uses none)."""

    def __init__(self, origins: Sequence[str]) -> None:
        self._all = "*" in origins
        self._origins = frozenset(origin.rstrip("/").lower().encode("latin-1") for origin in origins)

    async def check(self, scope: Scope, context: RequestContext) -> Response | None:
        """The response to a preflight, which allows whatever headers are asked for, as the old services did.
        Raises OriginRefused for one of another origin.
        """
        context.response_headers.append((b"vary", b"Origin"))
        origin = context.headers.get(b"origin")
        allowed = origin is not None and (self._all or origin.lower() in self._origins)
        if origin is not None and allowed:
            context.response_headers += (
                (b"access-control-allow-origin", b"*" if self._all else origin),
                (b"access-control-expose-headers", _EXPOSED),
            )
        if origin is None or context.method != "OPTIONS":
            return None
        if b"access-control-request-method" not in context.headers:
            return None
        if not allowed:
            raise OriginRefused("Origin not allowed")
        asked = context.headers.get(b"access-control-request-headers", b"")
        headers = {
            "Access-Control-Allow-Methods": _METHODS,
            "Access-Control-Allow-Headers": asked.decode("latin-1") or _REQUEST_HEADERS,
            "Access-Control-Max-Age": _MAX_AGE_S,
        }
        return Response(status_code=204, headers=headers)
