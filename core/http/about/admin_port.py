"""Admin port (ADMIN_PORT): it answers health and metrics, the main port everything but metrics.

`/health` and its two neighbours are answered on both: the published contract has them on the main port, and
load balancers ask there.
"""

from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from core.errors import NotFound
from core.http.answers.errors import error_response
from core.http.request.context import PROBES, context_of

METRICS: Final = "/metrics"


class AdminPort:
    """Layer that separates the ports. The socket of a request tells its port: no client can forge it."""

    def __init__(self, app: ASGIApp, *, port: int) -> None:
        self.app = app
        self._port = port

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        server = scope.get("server")
        admin = server is not None and server[1] == self._port
        path = scope["path"]
        if path not in PROBES if admin else path == METRICS:
            await error_response(scope, NotFound("Route not found"))(scope, receive, send)
            return
        if admin:
            context_of(scope).admitted = True
        await self.app(scope, receive, send)
