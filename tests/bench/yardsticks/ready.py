"""(d) Starlette handing out bytes that are ready: what is left is the cost of HTTP and of finding a route."""

import json
import os
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

BODIES = {
    path: body.encode()
    for path, body in json.loads(Path(os.environ["READY_BODIES"]).read_text(encoding="utf-8")).items()
}
LISTS = {path.partition("?")[0]: body for path, body in BODIES.items() if "?" in path}


async def health(request: Request) -> Response:
    return Response(b"{}", media_type="application/json")


async def listed(request: Request) -> Response:
    return Response(LISTS[request.scope["path"]], media_type="application/json")


async def one(request: Request) -> Response:
    return Response(BODIES[request.scope["path"]], media_type="application/json")


app = Starlette(
    routes=[
        Route("/health", health),
        Route("/api/items", listed),
        Route("/api/items/{id}", one),
        Route("/api/v1/ideas", listed),
    ]
)
