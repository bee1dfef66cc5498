"""Access control with `AUTH=keys`: `Authorization: Bearer <key>` (RFC 6750) with a sufficient scope.

GET needs `read`, every other method `write`, the routes of features that say so `admin`; a scope includes
those before it. Probes and the page of the documentation need no key: they hold no data. Who holds a key, the
slice of keys tells.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final, Literal

import structlog
from starlette.types import Scope

from core.errors import Forbidden, RateLimited, Unauthorized, Unavailable
from core.http.request.context import PROBES, RequestContext, context_of
from core.http.request.rate_limit import RateLimiter, limit_key

if TYPE_CHECKING:
    from core.platform import Platform

AccessScope = Literal["read", "write", "admin"]

KEY_REQUIRED: Final = "access.key_required"
"""Code of the error for a missing, an unknown, a wrong, an expired and a revoked key."""

_HOW: Final = "send it as Authorization: Bearer KEY"

FAILURES: Final = 20
FAILURES_WINDOW_S: Final = 60.0
"""Limit of wrong keys in so many seconds, of one client in one process; more of its wrong keys get 429."""

_OPEN: Final = (PROBES - {"/metrics"}) | {"/docs", "/openapi.json"}
_RANK: Final[dict[AccessScope, int]] = {"read": 1, "write": 2, "admin": 3}

log = structlog.get_logger("handover.access")


@dataclass(frozen=True, slots=True)
class Principal:
    """Holder of a valid key."""

    key_id: str
    name: str
    scope: AccessScope
    expires_at: datetime | None = None

    def may(self, scope: AccessScope) -> bool:
        return _RANK[self.scope] >= _RANK[scope]


Authenticate = Callable[["Platform", str], Awaitable[Principal | None]]


async def is_still_let_in(scope: Scope) -> bool:
    """True while the key of this request is valid; to be asked by endless responses."""
    context = context_of(scope)
    return context.access is None or await context.access.still_knows(context)


class Access:
    """Check of keys. `admin_paths` as of `needed_scope`; what is at and below `own_paths` has its own
    check.
    """

    def __init__(
        self, *, authenticate: Authenticate, admin_paths: tuple[str, ...], own_paths: tuple[str, ...] = ()
    ) -> None:
        self._authenticate = authenticate
        self._admin_paths = admin_paths
        self._own_paths = own_paths
        self._failures = RateLimiter(FAILURES, FAILURES_WINDOW_S)
        self._again = asyncio.Lock()

    async def check(self, scope: Scope, context: RequestContext) -> None:
        """Raises Unauthorized, Forbidden, RateLimited, and Unavailable before the app has started."""
        if context.admitted or is_open(scope["path"]) or _below(scope["path"], self._own_paths):
            return
        if b"authorization" not in context.headers:
            _challenge(context)
            raise Unauthorized(f"An API key is required: {_HOW}", code=KEY_REQUIRED)
        principal = await self._holder(context)
        if principal is None:
            self._count_failure(limit_key(context.client))
            _challenge(context, b', error="invalid_token"')
            raise Unauthorized(f"A valid API key is required: {_HOW}", code=KEY_REQUIRED)
        needed = needed_scope(scope["method"], scope["path"], self._admin_paths)
        if not principal.may(needed):
            _challenge(context, b', error="insufficient_scope", scope="%b"' % needed.encode())
            message = f"This needs a key with the scope {needed}"
            raise Forbidden(message, code="access.scope_too_small")
        context.principal, context.access = principal, self

    async def still_knows(self, context: RequestContext) -> bool:
        """True while the key of this request is valid. One request at a time: the first of many with the same
        key asks for all. A database that is down proves nothing.
        """
        async with self._again:
            try:
                return await self._holder(context) is not None
            except Unavailable:
                return True

    async def _holder(self, context: RequestContext) -> Principal | None:
        """Holder of the request's key, if it is valid."""
        if (platform := context.platform) is None:
            raise Unavailable("The service is being started")
        scheme, _, token = context.headers[b"authorization"].partition(b" ")
        token = token.strip() if scheme.lower() == b"bearer" else b""
        return await self._authenticate(platform, token.decode("latin-1"))

    def _count_failure(self, client: str) -> None:
        """Raises RateLimited, only for a key that was looked up and is wrong: whoever holds a valid one
        is not locked out by somebody else behind the same address.
        """
        verdict = self._failures.take_local(client)
        if not verdict.allowed:
            message = "Too many requests with wrong keys, please try again later"
            raise RateLimited(message, code="access.too_many_failures", retry_after=verdict.retry_s)
        if not verdict.remaining:
            log.warning("access.client_barred", client=client)


def is_open(path: str) -> bool:
    """True for a path that needs no key."""
    return path in _OPEN or path.startswith("/docs/")


def needed_scope(method: str, path: str, admin_paths: tuple[str, ...]) -> AccessScope:
    """Scope that a request needs: `admin` at and below `admin_paths` (first parts of paths)."""
    if _below(path, admin_paths):
        return "admin"
    return "read" if method in {"GET", "HEAD"} else "write"


def _below(path: str, roots: tuple[str, ...]) -> bool:
    return path.startswith(roots) and any(path == root or path.startswith(f"{root}/") for root in roots)


def _challenge(context: RequestContext, about: bytes = b"") -> None:
    context.response_headers.append((b"www-authenticate", b'Bearer realm="handover"' + about))
