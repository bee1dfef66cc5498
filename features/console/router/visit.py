"""Visit: one request of a page, with who is asking, a client of the API in that person's name, and the
answers that pages have.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Final
from urllib.parse import quote, unquote

from fastapi import Depends, Query, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from core.deps import platform_of
from core.errors import Forbidden
from core.feature import entities_of
from core.http.request.access import AccessScope, Principal
from core.http.request.context import context_of
from core.settings import Settings
from features.console.errors import FormExpired, SignInNeeded, Unconfirmed
from features.console.router.messages import (
    FLASH_COOKIE,
    ROOT,
    Tone,
    check_site,
    flash,
    flash_of,
    is_by_script,
    set_cookie,
)
from features.console.router.pages import TOKEN_COOKIE
from features.console.schemas import Session
from features.console.service.api_client import ApiClient, Calls
from features.console.service.rendering import render
from features.console.service.sessions import Sessions

NAME_COOKIE: Final = "handover_name"
ANY_SIZE: Final = 2**62
"""Bytes of a body that is passed on: the route of the API has its own limit."""
LARGEST_FORM: Final = 16 * 1024 * 1024
"""Bytes of a form: each letter of the longest text may take twelve. The API judges each field."""
_IN_A_PLACE: Final = "/%?&=#:@!$'()*+,;[]~"
"""Characters that a place may have beside letters and digits."""


@dataclass(frozen=True, slots=True)
class Visit:
    """`session` is None with AUTH=off, and on the page to sign in."""

    request: Request
    api: ApiClient
    settings: Settings
    session: Session | None

    @property
    def by_script(self) -> bool:
        return is_by_script(self.request)

    def may(self, scope: AccessScope) -> bool:
        if self.session is None:
            return self.settings.auth == "off"
        return Principal("", self.session.name, self.session.scope).may(scope)

    def page(self, template: str, status: int = 200, **values: object) -> Response:
        told = self.request.cookies.get(FLASH_COOKIE)
        me = {
            "name": self.session.name if self.session else unquote(self.request.cookies.get(NAME_COOKIE, "")),
            "scope": self.session.scope if self.session else None,
            "signed_in": self.session is not None,
            "open": self.settings.auth == "off",
            "may_read": self.may("read"),
            "may_write": self.may("write"),
            "may_admin": self.may("admin"),
        }
        html = render(
            template,
            me=me,
            csrf=self.session.csrf if self.session else "",
            path=self.request.url.path,
            query=dict(self.request.query_params),
            entities=entities_of(self.request.app.state.features),
            flash=flash_of(told),
            by_script=self.by_script,
            service_version=self.request.app.version,
            **values,
        )
        response = HTMLResponse(html, status, {"Cache-Control": "no-store", "Vary": "HX-Request"})
        if told is not None and not self.by_script:
            response.delete_cookie(FLASH_COOKIE, path=ROOT)
        return response

    def need(self, scope: AccessScope) -> None:
        """Raises Forbidden where nothing else asks for the right."""
        if not self.may(scope):
            raise Forbidden(f"This needs a key with the scope {scope}", code="access.scope_too_small")

    def go(self, path: str, message: str = "", tone: Tone = "good") -> Response:
        """Go to another page, which tells the message; a script gets there by itself."""
        place = quote(path, safe=_IN_A_PLACE, errors="replace")
        response: Response = RedirectResponse(place, 303)
        if self.by_script:
            response = Response(status_code=204, headers={"HX-Redirect": place})
        if message:
            set_cookie(self.request, response, FLASH_COOKIE, flash(message, tone), seconds=60)
        return response

    async def form(self) -> dict[str, str]:
        """Fields of the form that was sent. Raises as `check_form`, and Unconfirmed."""
        given = await self.request.form(max_part_size=LARGEST_FORM)
        fields = {name: str(value) for name, value in given.items()}
        token, question = fields.pop("csrf", ""), fields.pop("ask", "")
        self.check_form(token, fields)
        if question:
            raise Unconfirmed(question, {**fields, "csrf": token})
        return fields

    def check_form(self, token: str | None, fields: Mapping[str, str]) -> None:
        """Raises ForeignForm, and FormExpired unless the token, or that of the header for scripts, is of this
        session.
        """
        check_site(self.request)
        if self.session is not None:
            given = token or self.request.headers.get("x-csrf-token", "")
            if not hmac.compare_digest(given.encode(), self.session.csrf.encode()):
                raise FormExpired(fields)


async def visitor(request: Request) -> Visit:
    """Visit of anybody, also of who is not signed in."""
    platform, context = platform_of(request), context_of(request.scope)
    token = request.cookies.get(TOKEN_COOKIE)
    session = None
    if platform.settings.auth == "keys" and token:
        session = await platform.part(Sessions).find(token)
    headers = {"x-request-id": context.request_id, "accept": "application/json"}
    if session is not None:
        headers["authorization"] = f"Bearer {session.key}"
    elif platform.settings.auth == "off" and (name := unquote(request.cookies.get(NAME_COOKIE, ""))):
        headers["x-user-id"] = name
    client = ApiClient(request.app, platform.part(Calls), headers, context.client)
    return Visit(request, client, platform.settings, session)


async def visit(visit: Annotated[Visit, Depends(visitor)]) -> Visit:
    """Visit of somebody who may see the pages. Raises SignInNeeded."""
    if not visit.may("read"):
        raise SignInNeeded("Sign in")
    return visit


RowId = Annotated[str, Query(alias="id", min_length=1)]
Visitor = Annotated[Visit, Depends(visitor)]
Visited = Annotated[Visit, Depends(visit)]


def inside(path: str | None, otherwise: str = ROOT) -> str:
    """The path, if it is one of a page."""
    return path if path and (path == ROOT or path.startswith(f"{ROOT}/")) else otherwise
