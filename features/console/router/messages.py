"""Messages for people: toasts where a script asked, else a line on the next page."""

import base64
from collections.abc import Mapping
from typing import Any, Final, Literal

import orjson
from fastapi import Request
from starlette.responses import HTMLResponse, Response

from features.console.schemas import Fault
from features.console.service.rendering import render, texts

FLASH_COOKIE: Final = "handover_flash"
Tone = Literal["good", "bad"]


def is_by_script(request: Request) -> bool:
    """True if a script asks for a part of a page."""
    return request.headers.get("hx-request") == "true"


def refusal(request: Request, fault: Fault) -> Response:
    if is_by_script(request):
        told = "; ".join(f"{each['field']}: {each['message']}" for each in fault.fields) or fault.message
        return Response(status_code=fault.status, headers={"HX-Reswap": "none", **toast(told, "bad")})
    html = render("error.html", fault=fault, path=request.url.path)
    return HTMLResponse(html, fault.status, {"Cache-Control": "no-store"})


def toast(message: str, tone: Tone) -> dict[str, str]:
    # A header is ASCII; JSON can say every letter in it.
    told = orjson.dumps({"toast": {"message": message, "tone": tone}}).decode()
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
    return base64.urlsafe_b64encode(orjson.dumps({"message": message, "tone": tone})).decode()
