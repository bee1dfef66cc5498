"""Messages for people: toasts where a script asked, else a line on the next page."""

import base64
from collections.abc import Mapping
from typing import Any, Final, Literal

import orjson
from fastapi import Request
from starlette.responses import HTMLResponse, Response

from core.http.answers.errors import error_response
from features.console.errors import ForeignForm
from features.console.schemas import Fault
from features.console.service.rendering import field_name, render, texts

ROOT: Final = "/console"
FLASH_COOKIE: Final = "handover_flash"
LONGEST: Final = 600
"""Letters of a message."""
Tone = Literal["good", "bad"]
_OWN_SITE: Final = frozenset({"same-origin", "none"})


def is_by_script(request: Request) -> bool:
    """True if a script asks for a part of a page."""
    return request.headers.get("hx-request") == "true"


def check_site(request: Request) -> None:
    """Raises ForeignForm for a form of another site, by `Sec-Fetch-Site` or, of older browsers, by
    `Origin`; programs send neither. The scheme is not compared: a proxy may have taken TLS off.
    """
    site, origin, host = map(request.headers.get, ("sec-fetch-site", "origin", "host"))
    own = site in _OWN_SITE if site else origin is None or origin.partition("://")[2] == host
    if not own:
        raise ForeignForm("This form is of another site: nothing was done")


def refusal(request: Request, fault: Fault, headers: Mapping[str, str] | None = None) -> Response:
    given = {"Cache-Control": "no-store", **(headers or {})}
    if is_by_script(request):
        told = (
            "; ".join(f"{field_name(each['field'])}: {each['message']}" for each in fault.fields)
            or fault.message
        )
        link = {"place": f"{ROOT}/jobs/{fault.job}", "text": text("jobs", "show_busy")} if fault.job else None
        given |= {"HX-Reswap": "none", **toast(told, "bad", link)}
        return Response(status_code=fault.status, headers=given)
    return HTMLResponse(render("error.html", fault=fault, path=request.url.path), fault.status, given)


def failure(request: Request, error: Exception) -> Response:
    """Refusal of a request that ended in an error; one that nobody expects is logged as a crash."""
    answer = error_response(request.scope, error)
    said = orjson.loads(bytes(answer.body))
    headers = {name: answer.headers[name] for name in ("retry-after", "allow") if name in answer.headers}
    return refusal(request, Fault(answer.status_code, said["message"], said.get("details", ())), headers)


def toast(message: str, tone: Tone, link: Mapping[str, str] | None = None) -> dict[str, str]:
    # A header is ASCII; JSON can say every letter in it.
    told = orjson.dumps({"toast": {"message": _short(message), "tone": tone, "link": link}}).decode()
    return {"HX-Trigger": "".join(letter if letter.isascii() else _escaped(letter) for letter in told)}


def _escaped(letter: str) -> str:
    units = letter.encode("utf-16-be")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))


def flash_of(cookie: str | None) -> Mapping[str, Any] | None:
    if not cookie:
        return None
    try:
        told = orjson.loads(base64.urlsafe_b64decode(cookie))
    except ValueError:
        return None
    return told if isinstance(told, dict) and {"message", "tone"} <= told.keys() else None


def text(*path: str) -> str:
    """A text of `texts.toml`."""
    found: Any = texts()
    for name in path:
        found = getattr(found, name)
    return str(found)


def flash(message: str, tone: Tone) -> str:
    """Cookie by which the next page tells a message."""
    return base64.urlsafe_b64encode(orjson.dumps({"message": _short(message), "tone": tone})).decode()


def _short(message: str) -> str:
    """Message that fits into a header: browsers drop a cookie of more than 4096 bytes."""
    return message if len(message) <= LONGEST else f"{message[: LONGEST - 1]}…"


def set_cookie(request: Request, response: Response, name: str, value: str, *, seconds: int) -> None:
    secure = request.url.scheme == "https" or request.headers.get("x-forwarded-proto") == "https"
    response.set_cookie(
        name, value, max_age=seconds, path=ROOT, httponly=True, samesite="strict", secure=secure
    )
