"""Admin port (ADMIN_PORT): it answers health and metrics, the main port everything but metrics.

`/health` and its two neighbours are answered on both: the published contract has them on the main port, and
load balancers ask there.
"""

from starlette.types import Scope

from core.errors import NotFound
from core.http.request.context import PROBES, RequestContext


class AdminPort:
    """Check that separates the ports. The socket of a request tells its port: no client can forge it."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def check(self, scope: Scope, context: RequestContext) -> None:
        """Raises NotFound for a path of the other port."""
        server, path = scope.get("server"), scope["path"]
        context.admitted = server is not None and server[1] == self._port
        if path not in PROBES if context.admitted else path == "/metrics":
            raise NotFound("Route not found")
