"""Routes of pages: what they answer when something is wrong, or nobody is signed in."""

from typing import Final
from urllib.parse import quote

from fastapi import Request
from starlette.requests import ClientDisconnect
from starlette.responses import RedirectResponse, Response
from starlette.routing import Match

from core.errors import NotFound
from core.http.request.context import context_of, security_headers
from core.http.routing import Handler, Route, Router
from features.console.errors import KeyEnded, Refused, SignInNeeded
from features.console.router.messages import (
    FLASH_COOKIE,
    ROOT,
    failure,
    flash,
    is_by_script,
    refusal,
    set_cookie,
    text,
)
from features.console.schemas import Fault

SIGN_IN: Final = f"{ROOT}/sign-in"
TOKEN_COOKIE: Final = "handover_session"
_SECURITY: Final = security_headers(
    b"script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; "
)
HEADERS: Final = (
    *(each for each in _SECURITY if each[0] != b"referrer-policy"),
    (b"referrer-policy", b"same-origin"),
)
"""Without a referrer a form of these pages would have no `Origin` by which to know it."""


class PageRoute(Route):
    """Route of a page: its errors are pages, or toasts where a script asked; those of the API for scripts
    are the API's.
    """

    def get_route_handler(self) -> Handler:
        answer = super().get_route_handler()

        async def page(request: Request) -> Response:
            context_of(request.scope).security = HEADERS
            try:
                return await answer(request)
            except SignInNeeded as needed:
                return _sign_in_first(request, needed)
            except Refused as refused:
                return refusal(request, refused.fault)
            except ClientDisconnect:
                raise
            except Exception as error:
                if request.url.path.startswith(f"{ROOT}/api/"):
                    raise
                return failure(request, error)

        return page


router = Router(prefix=ROOT, include_in_schema=False)
router.route_class = PageRoute


async def nowhere(request: Request) -> Response:
    """Answer where no page is, or none that takes the method."""
    pages = [
        route for route in router.routes if isinstance(route, PageRoute) and route.endpoint is not nowhere
    ]
    known = [page.methods or () for page in pages if page.matches(request.scope)[0] is Match.PARTIAL]
    methods = {method for each in known for method in each}
    if methods:
        return refusal(request, Fault(405, "Method not allowed"), {"Allow": ", ".join(sorted(methods))})
    raise NotFound("There is no such page")


def _sign_in_first(request: Request, needed: SignInNeeded) -> Response:
    back = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    place = f"{SIGN_IN}?next={quote(back, safe='')}" if request.method == "GET" else SIGN_IN
    if is_by_script(request):
        response = Response(status_code=204, headers={"HX-Redirect": SIGN_IN})
    else:
        response = RedirectResponse(place, 303)
    if TOKEN_COOKIE in request.cookies:
        response.delete_cookie(TOKEN_COOKIE, path=ROOT)
        told = text("sign_in", "key_ended" if isinstance(needed, KeyEnded) else "ended")
        set_cookie(request, response, FLASH_COOKIE, flash(told, "bad"), seconds=60)
    return response
