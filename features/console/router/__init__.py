"""Routes under `/console`: the pages, what they load, and the API for their scripts."""

# Each module adds its routes to the one router when it is imported.
from features.console.router import activity as activity
from features.console.router import assets as assets
from features.console.router import files as files
from features.console.router import gateway as gateway
from features.console.router import ideas as ideas
from features.console.router import items as items
from features.console.router import jobs as jobs
from features.console.router import keys as keys
from features.console.router import overview as overview
from features.console.router import records as records
from features.console.router import signing as signing
from features.console.router import systems as systems
from features.console.router import takeover as takeover
from features.console.router import webhooks as webhooks
from features.console.router.pages import nowhere
from features.console.router.pages import router as router

# The last, for they take what no other route does.
for _path in ("", "/{path:text}"):
    router.add_api_route(_path, nowhere, methods=["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
