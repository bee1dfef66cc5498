"""What is known of the request in hand: made by the outermost layer, found in the ASGI scope by the others.

Layers inside add `headers` here instead of wrapping `send`: one wrapper serves them all. A whole answer is
left here too, as `answer`, when it needs nothing but to be sent.
"""

import time
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, cast

from starlette.types import Scope

if TYPE_CHECKING:
    from core.http.conditional import Resolved
    from core.platform import Platform

KEY: Final = "handover.request"
Header = tuple[bytes, bytes]


class Answer(NamedTuple):
    """A whole one, with its length. It is sent as it is: whoever adds a header vouches for each byte."""

    status: int
    headers: list[Header]
    body: bytes


EXCHANGE: Final = "handover.exchange"
"""Where the scope holds an `Exchange`, if the server's end of the connection has one."""


class Exchange(Protocol):
    """A request and its answer at the server's end of the connection. `more_body`: not all of the body is
    here yet. `broken`: the rest will not come, and why.
    """

    more_body: bool
    broken: str | None

    def write(self, answer: Answer) -> bool:
        """Send it at once; False: it has to go message by message."""


# Asked by machines that must get an answer at all times: never limited, never turned away.
PROBES: Final = frozenset({"/health", "/health/live", "/health/ready", "/metrics"})


class RequestContext:
    """`method` is the one that was sent: the routes see GET for HEAD. `status` is 0 until the response
    starts; `started_at` is on the monotonic clock, in seconds. `resolved` is what a cached answer was found
    with, for the layer that remembers it. `answer` is for the outermost layer to send.
    """

    __slots__ = (
        "answer",
        "client",
        "exchange",
        "headers",
        "method",
        "platform",
        "request_id",
        "resolved",
        "started_at",
        "status",
    )

    def __init__(self, request_id: str, method: str = "GET") -> None:
        self.request_id = request_id
        self.method = method
        self.started_at = time.perf_counter()
        self.status = 0
        self.headers: list[Header] = []
        self.client: str | None = None
        self.resolved: Resolved | None = None
        self.answer: Answer | None = None
        self.exchange: Exchange | None = None
        self.platform: Platform | None = None


def context_of(scope: Scope) -> RequestContext:
    return cast(RequestContext, scope[KEY])


def request_id_of(scope: Scope) -> str | None:
    context = scope.get(KEY)
    return context.request_id if isinstance(context, RequestContext) else None


def platform_of(scope: Scope) -> "Platform | None":
    """None before the app has started and in apps that are built without one."""
    context = scope.get(KEY)
    if context is not None and context.platform is not None:
        return cast("Platform", context.platform)
    app = scope.get("app")
    platform = getattr(app.state, "platform", None) if app is not None else None
    if context is not None:
        context.platform = platform  # several layers ask
    return platform


def list_of(scope: Scope, name: bytes) -> bytes | None:
    """All headers of that (lower case) name as the one list that they are (RFC 9110, 5.3)."""
    values = [value for key, value in scope["headers"] if key == name]
    return b",".join(values) if values else None


def header_of(scope: Scope, name: bytes) -> bytes | None:
    """The first header of that (lower case) name."""
    for key, value in scope["headers"]:
        if key == name:
            return cast(bytes, value)
    return None
