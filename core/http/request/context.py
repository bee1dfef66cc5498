"""Context of a request: one object, made by the outermost middleware, which the others and the routes read
and write. It is `request.state.context`.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, cast

from starlette.types import Scope

if TYPE_CHECKING:
    from core.http.answers.conditional import Resolved
    from core.http.request.access import Access, Principal
    from core.platform import Platform


Header = tuple[bytes, bytes]

SUBREQUEST: Final = "within"
"""Mark in a scope's `state` of a request that another one makes in this process: it is measured,
counted and logged with that one. No client can set it.
"""

PROBES: Final = frozenset({"/health", "/health/live", "/health/ready", "/metrics"})
"""Paths of probes: never limited, never turned away, for machines must get an answer at all times."""


@dataclass(slots=True, eq=False)
class RequestContext:
    """Facts about one request beyond the request itself, by who sets them:

    - the outermost middleware: `method` as it was sent (the routes see GET for HEAD); `headers` by lower case
      names, several of one name as one list; `client`, the address it came from; `platform`, None before the
      app has started and in apps without one; `started_at` on the monotonic clock, in seconds; `status`, 0
      before the response;
    - any layer: `response_headers` that the response gets, whoever makes it, instead of wrapping `send` once
      more;
    - access control: `principal`, the holder of its key, None with AUTH=off; `access`, which looks again;
      the admin port: `admitted`, which makes a key needless;
    - whoever makes an error of it: `reason`, the first line of what is wrong, for the log;
    - a route: `body_limit` in bytes, which replaces MAX_BODY_BYTES; `resolved`, how it found a cached answer;
      `security`, the security headers of a page, which replace those of the API;
    - the response cache: `as_is`, its bytes are already those that this client takes.
    """

    request_id: str
    method: str
    headers: Mapping[bytes, bytes]
    client: str
    platform: "Platform | None"
    started_at: float = field(default_factory=time.perf_counter)
    status: int = 0
    reason: str | None = None
    response_headers: list[Header] = field(default_factory=list)
    principal: "Principal | None" = None
    access: "Access | None" = None
    admitted: bool = False
    body_limit: int | None = None
    resolved: "Resolved | None" = None
    as_is: bool = False
    security: tuple[Header, ...] | None = None


def context_of(scope: Scope) -> RequestContext:
    return cast(RequestContext, scope["state"]["context"])


def security_headers(policy: bytes) -> tuple[Header, ...]:
    """Headers with a content security policy that allows what `policy` names, and nothing else."""
    return (
        (b"x-content-type-options", b"nosniff"),
        (b"x-frame-options", b"DENY"),
        (b"referrer-policy", b"no-referrer"),
        (
            b"content-security-policy",
            b"default-src 'none'; %bframe-ancestors 'none'; base-uri 'none'" % policy,
        ),
    )


API_HEADERS: Final = security_headers(b"")
