"""Route of what browsers load. The path names the state, so it may be kept for good."""

from typing import Final

from fastapi import Request
from starlette.responses import Response

from core.errors import NotFound
from core.http.answers.conditional import fixed_response
from features.console.router.pages import router
from features.console.service.rendering import TYPES, assets

_FOR_GOOD: Final = {"Cache-Control": "public, max-age=31536000, immutable"}


@router.get("/static/{release}/{name:path}")
async def asset(request: Request, release: str, name: str) -> Response:
    if (content := assets().get(name)) is None:
        raise NotFound("Route not found")
    return fixed_response(request, content, TYPES[f".{name.rpartition('.')[2]}"], _FOR_GOOD)
