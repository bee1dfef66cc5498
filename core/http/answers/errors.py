"""Error responses: the one place that turns an exception into one, in our shape or that of RFC 9457."""

import math
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote

import orjson
import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import Scope

from core.database.errors import as_error
from core.errors import (
    ABSENT,
    KINDS,
    Crash,
    FieldError,
    HandoverError,
    Invalid,
    InvalidFields,
    UnsupportedMediaType,
)
from core.http.request.context import RequestContext
from core.http.request.preferences import weights
from core.http.request.validation import field_errors, safe_text, shown

log = structlog.get_logger("handover.http")

CODE_BY_STATUS: Final = {kind.status: kind.code for kind in KINDS}
_METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_JSON: Final = "application/json"
_FORM: Final = "multipart/form-data"
_PROBLEM: Final = "application/problem+json"
_MALFORMED: Final = "Malformed JSON"
_UNREADABLE_BODY: Final = "There was an error parsing the body"
"""Framework's message for a body that it cannot read, without a place in it."""
_SAID_BETTER: Final = {
    404: "Route not found",
    405: "Method not allowed",
}


def install(app: FastAPI) -> None:
    for kind in (HandoverError, RequestValidationError, HTTPException):
        app.add_exception_handler(kind, answer)


async def answer(request: Request, error: Exception) -> Response:
    return error_response(request.scope, error)


def error_response(scope: Scope, error: Exception) -> Response:
    """Response to any exception. An unexpected one is logged, with its traceback, as a crash."""
    known = _known(scope, error)
    message = safe_text(known.message)
    lines = [f"{detail.field}: {detail.message}" for detail in known.details] or [message]
    # None where the server itself refuses what is no request.
    context: RequestContext | None = scope.get("state", {}).get("context")
    if context is not None:
        context.reason = lines[0]
    body: dict[str, Any] = {"success": False, "message": message, "error": message}
    media_type = _JSON
    if wants_problem(",".join(Headers(scope=scope).getlist("accept"))):
        body, media_type = _problem(scope, known, message), _PROBLEM
        if context is not None:
            body["requestId"] = context.request_id
    body["errors"] = lines
    if known.details:
        body["details"] = [_shown(detail) for detail in known.details]
    response = Response(orjson.dumps(body), known.status, {"Cache-Control": "no-store"}, media_type)
    response.headers.add_vary_header("Accept")
    if isinstance(error, HTTPException):
        response.headers.update(error.headers or {})
    if known.status == 405:
        response.headers["Allow"] = ", ".join(_allowed(scope))
    if known.retry_after is not None:
        response.headers["Retry-After"] = str(max(1, math.ceil(known.retry_after)))
    return response


def wants_problem(accept: str) -> bool:
    """True if RFC 9457 is accepted, and plain JSON not preferred to it."""
    given = weights(accept.encode())
    problem = given.get(_PROBLEM.encode(), 0.0)
    return problem > 0 and problem >= given.get(_JSON.encode(), 0.0)


def _problem(scope: Scope, known: HandoverError, message: str) -> dict[str, Any]:
    return {
        "type": f"urn:handover:problem:{known.code}",
        "title": HTTPStatus(known.status).phrase,
        "status": known.status,
        "detail": message,
        "message": message,
        "instance": quote(safe_text(scope["path"])),
    }


def _shown(detail: FieldError) -> dict[str, Any]:
    value = shown(detail.value)
    entry = {"field": detail.field, "message": detail.message}
    return entry if value is ABSENT else {**entry, "value": value}


def _known(scope: Scope, error: Exception) -> HandoverError:
    """Error as it is shown: nothing internal in it."""
    if isinstance(error, RequestValidationError):
        return _refused_input(scope, error)
    if isinstance(error, HTTPException):
        return _framework_error(error)
    if isinstance(error, ClientDisconnect):
        return Invalid("The request ended before its body was complete")
    known = as_error(error) or Crash("Internal server error")
    if isinstance(known, Crash):
        log.error("http.crashed", error=type(error).__name__, exc_info=error)
    elif known.status >= 500:
        log.warning(
            "http.unavailable", code=known.code, error=type(error).__name__, reason=safe_text(str(error))
        )
    return known


def _framework_error(error: HTTPException) -> HandoverError:
    if error.detail == _UNREADABLE_BODY:
        reason = "is not UTF-8, is nested too deeply, or has a number of too many digits"
        return Invalid(_MALFORMED, details=[FieldError("body", reason)])
    status = error.status_code
    code = CODE_BY_STATUS.get(status, f"http.{status}")
    known = HandoverError(_SAID_BETTER.get(status) or str(error.detail), code=code)
    known.status = status
    return known


def _allowed(scope: Scope) -> list[str]:
    """All methods of the path: the framework names only those of the first matching route."""
    routes = scope["app"].router.routes
    found = [
        method
        for method in _METHODS
        if any(route.matches({**scope, "method": method})[0] is Match.FULL for route in routes)
    ]
    return ["GET", "HEAD", *found[1:]] if "GET" in found else found


def _refused_input(scope: Scope, error: RequestValidationError) -> HandoverError:
    problems = error.errors()
    about_body = any(problem["loc"][:1] == ("body",) for problem in problems)
    if about_body and (wanted := _wrong_media_type(scope)) is not None:
        return UnsupportedMediaType(f"Content-Type must be {wanted}")
    if problems and problems[0]["type"] == "json_invalid":
        reason = f"is not valid JSON (at character {problems[0]['loc'][-1]})"
        return Invalid(_MALFORMED, details=[FieldError("body", reason)])
    return InvalidFields(field_errors(problems))


def _wrong_media_type(scope: Scope) -> str | None:
    """Media type that the route reads, if the body is of another one; None if it is not."""
    headers = Headers(scope=scope)
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    empty = headers.get("content-length", "0") == "0"
    if empty and {"content-type", "transfer-encoding"}.isdisjoint(headers):
        return None
    read = getattr(scope.get("route"), "media_type", _JSON)
    if read == _JSON:
        is_json = media_type == _JSON or (
            media_type.startswith("application/") and media_type.endswith("+json")
        )
        return None if is_json else _JSON
    return None if media_type in (read, _FORM) else _FORM
