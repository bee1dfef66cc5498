"""Routes of the documentation: `/openapi.json`, and `/docs`, Swagger UI from an installed package, so that it
works without the internet.
"""

from importlib.metadata import distribution
from pathlib import Path
from typing import Final

import orjson
from fastapi import Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse, Response

from core.errors import NotFound
from core.http.answers.conditional import fixed_response
from core.http.request.context import DOCS_HEADERS, context_of
from core.http.routing import Router

# The package keeps a current Swagger UI as plain files; its Python code is not used.
_PACKAGE: Final = "fastapi-offline"
_FOLDER: Final = "fastapi_offline/static"
_FILES: Final = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "favicon.png": "image/png",
}
# Apart from the page, so that the page needs no inline script and the content policy can forbid them.
_START: Final = b"""\
window.ui = SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  displayRequestDuration: true,
  presets: [SwaggerUIBundle.presets.apis, SwaggerUIBundle.SwaggerUIStandalonePreset],
  layout: "BaseLayout",
});
"""
_PAGE: Final = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Handover API</title>
<link rel="icon" href="/docs/favicon.png">
<link rel="stylesheet" href="/docs/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
"""

router: Final = Router(include_in_schema=False)


@router.get("/openapi.json")
async def openapi_document(request: Request) -> Response:
    """OpenAPI document, built and serialised once per app."""
    state = request.app.state
    if not hasattr(state, "openapi_bytes"):
        state.openapi_bytes = orjson.dumps(request.app.openapi())
    return fixed_response(request, state.openapi_bytes, "application/json")


@router.get("/docs")
async def docs_page(request: Request) -> HTMLResponse:
    context_of(request.scope).security = DOCS_HEADERS
    return HTMLResponse(_PAGE)


@router.get("/docs/{name}")
async def docs_asset(request: Request, name: str) -> Response:
    if name == "start.js":
        return fixed_response(request, _START, "text/javascript")
    if name not in _FILES:
        raise NotFound("Route not found")
    return fixed_response(request, await run_in_threadpool(_read, name), _FILES[name])


def _read(name: str) -> bytes:
    return Path(str(distribution(_PACKAGE).locate_file(_FOLDER)), name).read_bytes()
