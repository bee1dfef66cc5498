"""The page `/docs`: Swagger UI from an installed package, so that it works without the internet."""

from importlib.metadata import distribution
from pathlib import Path
from typing import Final

from core.http.request.context import security_headers

# The package keeps a current Swagger UI as plain files; its Python code is not used.
_PACKAGE: Final = "fastapi-offline"
_FOLDER: Final = "fastapi_offline/static"
FILES: Final = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "favicon.png": "image/png",
}
# Apart from the page, so that the page needs no inline script and the content policy can forbid them.
START: Final = b"""\
window.ui = SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  displayRequestDuration: true,
  presets: [SwaggerUIBundle.presets.apis, SwaggerUIBundle.SwaggerUIStandalonePreset],
  layout: "BaseLayout",
});
"""
PAGE: Final = """\
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
HEADERS: Final = security_headers(
    b"script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; "
    b"connect-src 'self'; form-action 'none'; "
)


def read(name: str) -> bytes:
    return Path(str(distribution(_PACKAGE).locate_file(_FOLDER)), name).read_bytes()
