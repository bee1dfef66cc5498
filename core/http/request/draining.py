"""Draining: while the server shuts down, clients are sent elsewhere before their requests cost anything."""

from typing import Final

from starlette.types import Scope

from core.errors import Unavailable
from core.http.request.context import PROBES, RequestContext

_RETRY_S: Final = 2


class Draining(Unavailable):
    code = "http.draining"


async def check(scope: Scope, context: RequestContext) -> None:
    """Raises Draining, but for probes."""
    platform = context.platform
    if platform is None or not (platform.leaving.is_set() or platform.draining.is_set()):
        return
    context.response_headers.append((b"connection", b"close"))
    if platform.draining.is_set() and scope["path"] not in PROBES:
        raise Draining("The server is shutting down", retry_after=_RETRY_S)
