"""Checks of a request before anything else looks at it: draining, the port, the `Host`, the site, CORS."""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from ipaddress import ip_address
from typing import Final

from starlette.responses import Response
from starlette.types import Scope

from core.errors import Forbidden, Misdirected, NotFound, Unavailable
from core.http.request.context import PROBES, RequestContext
from core.settings import Settings

_RETRY_S: Final = 2

_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_OWN_SITE: Final = frozenset({b"same-origin", b"none"})
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


async def check_draining(scope: Scope, context: RequestContext) -> None:
    """Raises Unavailable, but for probes."""
    platform = context.platform
    if platform is None or not (platform.leaving.is_set() or platform.draining.is_set()):
        return
    context.response_headers.append((b"connection", b"close"))
    if platform.draining.is_set() and scope["path"] not in PROBES:
        raise Unavailable("The server is shutting down", code="http.draining", retry_after=_RETRY_S)


async def check_port(admin_port: int, scope: Scope, context: RequestContext) -> None:
    """Separates the ports: ADMIN_PORT answers health and metrics, the main port everything but metrics.
    Raises NotFound for a path of the other port.

    The socket of a request tells its port: no client can forge it. `/health` and its two neighbours are
    answered on both: the published contract has them on the main port, and load balancers ask there.
    """
    server, path = scope.get("server"), scope["path"]
    context.admitted = server is not None and server[1] == admin_port
    if path not in PROBES if context.admitted else path == "/metrics":
        raise NotFound("Route not found")


class ForgeryProtection:
    """Protection of a service without keys from web pages: request forgery and DNS rebinding.

    Whoever reaches a service with AUTH=off may do everything, and so could any page in a browser that
    reaches it. A page of another site is recognised by `Sec-Fetch-Site` or else by `Origin`; browsers set
    both, and programs send neither. A page that has made its own name lead to this address is recognised by
    the `Host`, which is then that name.

    It refuses a foreign `Host` (421), and a page of another site that would change something
    (403). Probes are answered whatever the `Host`: load balancers ask by address.
    """

    def __init__(self, settings: Settings) -> None:
        self._without_keys = settings.auth == "off"
        self._checks_host = bool(settings.allowed_hosts) or (self._without_keys and not settings.allow_open)
        self._origins = frozenset(origin.rstrip("/").lower() for origin in settings.cors_origins)
        allowed = frozenset(host.lower() for host in settings.allowed_hosts)
        self._serves = lru_cache(1024)(lambda host: _serves(host, allowed))

    async def check(self, scope: Scope, context: RequestContext) -> None:
        """Raises Misdirected and Forbidden."""
        host = context.headers.get(b"host")
        if self._checks_host and host and scope["path"] not in PROBES and not self._serves(host):
            message = "This server is not called so; ALLOWED_HOSTS lists its names"
            raise Misdirected(message, code="http.host_refused")
        if self._without_keys and context.method not in _SAFE and self._is_cross_site(context.headers, host):
            message = "A page of another site asks for this change; CORS_ORIGINS lists those that may"
            raise Forbidden(message, code="http.cross_site")

    def _is_cross_site(self, headers: Mapping[bytes, bytes], host: bytes | None) -> bool:
        site, origin = headers.get(b"sec-fetch-site"), headers.get(b"origin")
        if site in _OWN_SITE or (site is None and origin is None):
            return False
        if origin is not None and ("*" in self._origins or origin.decode("latin-1").lower() in self._origins):
            return False
        # The scheme is not compared: a proxy may have taken TLS off.
        return site is not None or origin is None or origin.partition(b"://")[2] != host


def _serves(host: bytes, allowed: Iterable[str]) -> bool:
    """True for a `Host`, with or without a port, that is of this machine alone or one of the allowed."""
    text = host.decode("latin-1").lower()
    name = text[1:].partition("]")[0] if text.startswith("[") else text.partition(":")[0]
    name = name.rstrip(".")
    if name in allowed or text in allowed or name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


class Cors:
    """Check of origins by CORS_ORIGINS; without any, it is not made. `*` among them allows every one (never
    with credentials: the API uses none). Its headers are added to the request's context, so errors of every
    layer carry them too.
    """

    def __init__(self, origins: Sequence[str]) -> None:
        self._all = "*" in origins
        self._origins = frozenset(origin.rstrip("/").lower().encode("latin-1") for origin in origins)

    async def check(self, scope: Scope, context: RequestContext) -> Response | None:
        """The response to a preflight, which allows whatever headers are asked for, as the old services did.
        Raises Forbidden for one of another origin.
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
            raise Forbidden("Origin not allowed", code="http.origin_refused")
        asked = context.headers.get(b"access-control-request-headers", b"")
        headers = {
            "Access-Control-Allow-Methods": _METHODS,
            "Access-Control-Allow-Headers": asked.decode("latin-1") or _REQUEST_HEADERS,
            "Access-Control-Max-Age": "600",
        }
        return Response(status_code=204, headers=headers)
