"""Routes of signing in and out, and of the name that changes are signed with while no key is asked for."""

from typing import Annotated, Final
from urllib.parse import quote

from fastapi import Query
from starlette.responses import Response

from core.deps import platform_of
from core.errors import RateLimited
from features.console.router.messages import ROOT, check_site, set_cookie, text
from features.console.router.pages import SIGN_IN, TOKEN_COOKIE, router
from features.console.router.visit import NAME_COOKIE, Visited, Visitor, inside
from features.console.service.sessions import close_session, open_session
from features.keys.api import authenticate

_NAME_DAYS: Final = 365
Back = Annotated[str, Query(alias="next")]


@router.get("/sign-in")
async def sign_in_page(visit: Visitor, back: Back = ROOT) -> Response:
    if visit.may("read"):
        return visit.go(inside(back))
    return visit.page("sign_in.html", back=inside(back), problem="")


@router.post("/sign-in")
async def sign_in(visit: Visitor) -> Response:
    """The API itself judges the key, and counts wrong ones."""
    check_site(visit.request)
    if visit.settings.auth == "off":
        return visit.go(ROOT)
    form = {name: str(value) for name, value in (await visit.request.form()).items()}
    key, back = form.get("key", "").strip(), inside(form.get("next"))
    given = {"authorization": f"Bearer {key}"}
    tried = await visit.api.call("GET", "/api/v1/systems", query={"limit": 1}, headers=given)
    db = platform_of(visit.request).db
    holder = await authenticate(db, key) if tried.status == 200 else None
    if holder is None:
        problem = text("sign_in", "too_many" if tried.status == RateLimited.status else "wrong")
        return visit.page(
            "sign_in.html", tried.status if tried.status >= 400 else 401, back=back, problem=problem
        )
    token, lifetime = await open_session(db, key, holder)
    response = visit.go(back)
    set_cookie(visit.request, response, TOKEN_COOKIE, token, seconds=int(lifetime.total_seconds()))
    return response


@router.post("/sign-out")
async def sign_out(visit: Visitor) -> Response:
    await visit.form()
    if visit.session is not None:
        await close_session(platform_of(visit.request).db, visit.session)
    response = visit.go(SIGN_IN, text("sign_in", "out"))
    response.delete_cookie(TOKEN_COOKIE, path=ROOT)
    return response


@router.post("/name")
async def set_name(visit: Visited) -> Response:
    """With AUTH=off the name is a label for the audit trail, not a proof."""
    form = await visit.form()
    name = "".join(filter(str.isprintable, form.get("name", ""))).strip()[:60]
    response = visit.go(inside(form.get("next")), text("name", "set") if name else text("name", "unset"))
    set_cookie(visit.request, response, NAME_COOKIE, quote(name), seconds=_NAME_DAYS * 86_400)
    return response
