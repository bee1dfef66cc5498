"""Routes of pages: what they answer when something is wrong, or nobody is signed in."""

from typing import Final
from urllib.parse import quote, urlsplit

from fastapi import Request
from starlette.requests import ClientDisconnect
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Match

from core.errors import NotFound
from core.feature import entities_of
from core.http.request.context import context_of, security_headers
from core.http.routing import Handler, Route, Router
from features.console.errors import ForeignForm, KeyEnded, Refused, SignInNeeded, Unconfirmed
from features.console.router.messages import (
    FLASH_COOKIE,
    ROOT,
    check_site,
    failure,
    flash,
    is_by_script,
    refusal,
    set_cookie,
    text,
)
from features.console.schemas import Fault
from features.console.service.records import RECORDS, WEBHOOK
from features.console.service.rendering import render

SIGN_IN: Final = f"{ROOT}/sign-in"
TOKEN_COOKIE: Final = "handover_session"
_TYPED: Final = {
    **{f"{ROOT}/{what}/{entity}": record for entity, record in RECORDS.items() for what in ("new", "save")},
    WEBHOOK.pages: WEBHOOK,
    f"{ROOT}/keys": None,
}
"""Where forms go into which people type, and the record that they are about."""
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
                return await _sign_in_first(request, needed)
            except Unconfirmed as asked:
                return _question(request, asked)
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


async def _sign_in_first(request: Request, needed: SignInNeeded) -> Response:
    """The page to sign in, or, for a form that was sent, what was typed into it."""
    if request.method != "GET":
        response = await _signed_out(request, needed)
    elif is_by_script(request):
        response = Response(status_code=204, headers={"HX-Redirect": _sign_in(_origin(request))})
    else:
        response = RedirectResponse(_sign_in(_place(request.url.path, request.url.query)), 303)
    if TOKEN_COOKIE in request.cookies:
        response.delete_cookie(TOKEN_COOKIE, path=ROOT)
        if request.method == "GET":
            set_cookie(request, response, FLASH_COOKIE, flash(_reason(needed), "bad"), seconds=60)
    return response


def _question(request: Request, asked: Unconfirmed) -> Response:
    html = render(
        "question.html",
        question=asked.question,
        fields=asked.fields,
        place=_place(request.url.path, request.url.query),
        back=_origin(request) or ROOT,
    )
    return HTMLResponse(html, headers={"Cache-Control": "no-store"})


async def _signed_out(request: Request, needed: SignInNeeded) -> Response:
    """Form that was sent without a session: a script hears why, so that its page stays as it is."""
    try:
        check_site(request)
    except ForeignForm as foreign:
        return failure(request, foreign)
    fault = Fault(needed.status, text("signed_out", "lead"))
    path = request.url.path
    if is_by_script(request):
        return refusal(request, fault)
    fields: dict[str, str] = {}
    if path in _TYPED:
        given = await request.form()
        fields = {name: str(value) for name, value in given.items() if name != "csrf"}
    record = _TYPED.get(path)
    html = render(
        "signed_out.html",
        fault=fault,
        reason=_reason(needed),
        record=record,
        names=[field.name for field in record.fields] if record else [],
        fields=fields,
        place=_place(path, request.url.query),
        entities=entities_of(request.app.state.features),
        systems=[{"id": fields["systemId"], "name": fields["systemId"]}] if fields.get("systemId") else [],
        sign_in=_sign_in(_origin(request)),
    )
    return HTMLResponse(html, fault.status, {"Cache-Control": "no-store"})


def _reason(needed: SignInNeeded) -> str:
    return text("sign_in", "key_ended" if isinstance(needed, KeyEnded) else "ended")


def _sign_in(back: str) -> str:
    return f"{SIGN_IN}?next={quote(back, safe='')}" if back else SIGN_IN


def _origin(request: Request) -> str:
    """Place of the page that asked."""
    try:
        page = urlsplit(request.headers.get("referer", ""))
    except ValueError:
        return ""
    return _place(page.path, page.query) if page.path.startswith(ROOT) else ""


def _place(path: str, query: str) -> str:
    return f"{path}?{query}" if query else path
