"""Access control with `AUTH=keys`: `Authorization: Bearer <key>` (RFC 6750) with a sufficient scope.

GET needs `read`, every other method `write`, the routes of features that say so `admin`; a scope includes
those before it. Probes and the page of the documentation need no key: they hold no data.

A key that was found valid is remembered for LIFETIME_S at most, and until this host hears of a change of any
key. So revoking takes effect at once on the host where it happens, and on others within CACHE_HOSTS_BOUND_MS.
What is remembered is the SHA-256 of the key, never the key, in this process alone.
"""

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final, Literal

import structlog
from starlette.types import ASGIApp, Receive, Scope, Send

from core.errors import Forbidden, HandoverError, RateLimited, Unauthorized, Unavailable
from core.http.answers.errors import error_response
from core.http.request.client import limit_key
from core.http.request.context import PROBES, context_of, header_of
from core.http.request.rate_limit import RateLimiter
from core.http.request.timestamps import now

if TYPE_CHECKING:
    from core.database.client import Database

AccessScope = Literal["read", "write", "admin"]

LIFETIME_S: Final = 5.0
KEY_TAG: Final = "keys"
"""Cache tag that every change of a key renews."""

FAILURES: Final = 20
FAILURES_WINDOW_S: Final = 60.0
"""Limit of wrong keys in so many seconds, of one client in one process; more of its wrong keys get 429."""

_OPEN: Final = (PROBES - {"/metrics"}) | {"/docs", "/openapi.json"}
_OPEN_BELOW: Final = "/docs/"
_RANK: Final[dict[AccessScope, int]] = {"read": 1, "write": 2, "admin": 3}
_SCHEME: Final = b"bearer "
_MOST_BARRED: Final = 10_000
_REALM: Final = b'Bearer realm="handover"'

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


Authenticate = Callable[["Database", str], Awaitable[Principal | None]]


class KeyRequired(Unauthorized):
    """A valid key is required; the same for a missing, unknown, wrong, expired and revoked one."""

    code = "access.key_required"


class ScopeTooSmall(Forbidden):
    code = "access.scope_too_small"


class TooManyFailures(RateLimited):
    code = "access.too_many_failures"


async def is_still_let_in(scope: Scope) -> bool:
    """True while the key of this request is valid; to be asked by endless responses."""
    access = context_of(scope).access
    return access is None or await access.still_knows(scope)


@dataclass(frozen=True, slots=True)
class _Known:
    """`until` is on the monotonic clock; `versions` are those of KEY_TAG when the key was looked up."""

    principal: Principal
    until: float
    versions: bytes

    def holds(self, versions: bytes) -> bool:
        return self.versions == versions and time.monotonic() < self.until


class Access:
    """Layer of access control. `admin_paths` as of `needed_scope`."""

    def __init__(self, app: ASGIApp, *, authenticate: Authenticate, admin_paths: tuple[str, ...]) -> None:
        self.app = app
        self._authenticate = authenticate
        self._admin_paths = admin_paths
        # Only keys that were valid once get in here, so it is bounded by their number.
        self._known: dict[bytes, _Known] = {}
        self._failures = RateLimiter(FAILURES, FAILURES_WINDOW_S)
        self._barred: dict[str, float] = {}
        self._again = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or is_open(scope["path"]) or context_of(scope).admitted:
            await self.app(scope, receive, send)
            return
        context = context_of(scope)
        try:
            principal = await self._principal(scope)
            needed = needed_scope(scope["method"], scope["path"], self._admin_paths)
            if not principal.may(needed):
                _challenge(scope, b'error="insufficient_scope", scope="%b"' % needed.encode())
                raise ScopeTooSmall(f"This needs a key with the scope {needed}")
        except HandoverError as error:
            await error_response(scope, error)(scope, receive, send)
            return
        context.principal, context.access = principal, self
        await self.app(scope, receive, send)

    async def _principal(self, scope: Scope) -> Principal:
        given = header_of(scope, b"authorization")
        if given is None:
            _challenge(scope)
            raise KeyRequired("An API key is required")
        token = _token(given)
        platform = context_of(scope).platform
        if platform is None:
            raise Unavailable("The service is being started")
        digest = hashlib.sha256(token).digest()
        known = self._known.get(digest)
        versions = platform.cache.versions_of(KEY_TAG)
        if known is not None and known.holds(versions):
            return known.principal
        principal = await self._looked_up(platform.db, token, digest, versions)
        if principal is None:
            client = limit_key(context_of(scope).client)
            self._raise_if_barred(client)
            _challenge(scope, b'error="invalid_token"')
            await self._count_failure(client)
            raise KeyRequired("A valid API key is required")
        return principal

    async def still_knows(self, scope: Scope) -> bool:
        """True while the key is valid. One request at a time: the first of many with the same key asks for
        all. A database that is down proves nothing.
        """
        platform = context_of(scope).platform
        if platform is None:
            return False
        token = _token(header_of(scope, b"authorization") or b"")
        digest = hashlib.sha256(token).digest()
        async with self._again:
            known, versions = self._known.get(digest), platform.cache.versions_of(KEY_TAG)
            if known is not None and known.holds(versions):
                return True
            try:
                return await self._looked_up(platform.db, token, digest, versions) is not None
            except Unavailable:
                return True

    async def _looked_up(
        self, db: "Database", token: bytes, digest: bytes, versions: bytes
    ) -> Principal | None:
        principal = await self._authenticate(db, token.decode("latin-1"))
        if principal is None:
            self._known.pop(digest, None)
        else:
            self._known[digest] = _Known(principal, time.monotonic() + _lifetime_s(principal), versions)
        return principal

    async def _count_failure(self, client: str) -> None:
        verdict = await self._failures.take(client, None)
        if verdict.remaining:
            return
        if len(self._barred) >= _MOST_BARRED:
            self._barred.clear()
        self._barred[client] = time.monotonic() + FAILURES_WINDOW_S / FAILURES
        log.warning("access.client_barred", client=client)

    def _raise_if_barred(self, client: str) -> None:
        """Raises TooManyFailures, only for a key that was looked up and is wrong: whoever holds a valid one
        is not locked out by somebody else behind the same address.
        """
        until = self._barred.get(client)
        if until is None:
            return
        left = until - time.monotonic()
        if left > 0:
            raise TooManyFailures(
                "Too many requests with wrong keys, please try again later", retry_after=left
            )
        del self._barred[client]


def is_open(path: str) -> bool:
    """True for a path that needs no key."""
    return path in _OPEN or path.startswith(_OPEN_BELOW)


def needed_scope(method: str, path: str, admin_paths: tuple[str, ...]) -> AccessScope:
    """Scope that a request needs: `admin` at and below `admin_paths` (first parts of paths)."""
    if path.startswith(admin_paths) and any(
        path == root or path.startswith(f"{root}/") for root in admin_paths
    ):
        return "admin"
    return "read" if method in {"GET", "HEAD"} else "write"


def _token(header: bytes) -> bytes:
    return header[len(_SCHEME) :].strip() if header[: len(_SCHEME)].lower() == _SCHEME else b""


def _lifetime_s(principal: Principal) -> float:
    if principal.expires_at is None:
        return LIFETIME_S
    return min(LIFETIME_S, (principal.expires_at - now()).total_seconds())


def _challenge(scope: Scope, about: bytes = b"") -> None:
    value = _REALM + (b", " + about if about else b"")
    context_of(scope).headers.append((b"www-authenticate", value))
