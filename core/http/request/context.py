"""Context of a request: one object, made by the outermost middleware, which the others and the routes read
and write. It is `request.state.context`.
"""

import time
from typing import TYPE_CHECKING, Final, cast

from starlette.types import Scope

if TYPE_CHECKING:
    from core.http.answers.conditional import Resolved
    from core.http.request.access import Access, Principal
    from core.platform import Platform

Header = tuple[bytes, bytes]

PROBES: Final = frozenset({"/health", "/health/live", "/health/ready", "/metrics"})
"""Paths of probes: never limited, never turned away, for machines must get an answer at all times."""


class RequestContext:
    """Facts about one request beyond the request itself, by who sets them:

    - the outermost middleware: `method` as it was sent (the routes see GET for HEAD); `client`, the address
      it came from; `platform`, None before the app has started and in apps without one; `started_at` on the
      monotonic clock, in seconds; `status`, 0 until the response starts;
    - any layer: `headers` that the response gets, whoever makes it, instead of wrapping `send` once more;
    - access control: `principal`, the holder of its key, None with AUTH=off; `access`, which looks again;
      the admin port: `admitted`, which makes a key needless;
    - a route: `body_limit` in bytes, which replaces MAX_BODY_BYTES; `resolved`, how it found a cached answer.
    """

    __slots__ = (
        "access",
        "admitted",
        "body_limit",
        "client",
        "headers",
        "method",
        "platform",
        "principal",
        "request_id",
        "resolved",
        "started_at",
        "status",
    )

    def __init__(
        self,
        request_id: str,
        *,
        method: str = "GET",
        client: str = "unknown",
        platform: "Platform | None" = None,
    ) -> None:
        self.request_id = request_id
        self.method = method
        self.client = client
        self.platform = platform
        self.started_at = time.perf_counter()
        self.status = 0
        self.headers: list[Header] = []
        self.principal: Principal | None = None
        self.access: Access | None = None
        self.admitted = False
        self.body_limit: int | None = None
        self.resolved: Resolved | None = None


def bind(scope: Scope, context: RequestContext) -> None:
    scope.setdefault("state", {})["context"] = context


def context_of(scope: Scope) -> RequestContext:
    return cast(RequestContext, scope["state"]["context"])


def list_of(scope: Scope, name: bytes) -> bytes | None:
    """Value of all headers of that (lower case) name, as the one list that they are (RFC 9110, 5.3)."""
    values = [value for key, value in scope["headers"] if key == name]
    return b",".join(values) if values else None


def header_of(scope: Scope, name: bytes) -> bytes | None:
    """Value of the first header of that (lower case) name."""
    for key, value in scope["headers"]:
        if key == name:
            return cast(bytes, value)
    return None
