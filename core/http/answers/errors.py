"""Error responses: the one place that turns an exception into one, in our shape or that of RFC 9457."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
from core.errors import ABSENT, KINDS, VALIDATION_FAILED, Crash, FieldError, HandoverError
from core.http.request.preferences import weights
from core.http.request.validation import field_errors, safe_text, shown

log = structlog.get_logger("handover.http")

INTERNAL: Final = "Internal server error"
CODE_BY_STATUS: Final = {kind.status: kind.code for kind in KINDS}
_METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_JSON: Final = "application/json"
_FORM: Final = "multipart/form-data"
_PROBLEM: Final = "application/problem+json"
_UNREADABLE_BODY: Final = "There was an error parsing the body"
"""Framework's message for a body that it cannot read, without a place in it."""
_SAID_BETTER: Final = {
    404: "Route not found",
    405: "Method not allowed",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """Error as it is shown: nothing internal in it."""

    status: int
    code: str
    message: str
    details: Sequence[FieldError] = ()
    headers: Mapping[str, str] | None = None


def install(app: FastAPI) -> None:
    for kind in (HandoverError, RequestValidationError, HTTPException):
        app.add_exception_handler(kind, answer)


async def answer(request: Request, error: Exception) -> Response:
    return error_response(request.scope, error)


def error_response(scope: Scope, error: Exception) -> Response:
    """Response to any exception. An unexpected one is logged, with its traceback, as a crash."""
    fault = _fault_of(scope, error)
    lines = [f"{detail.field}: {detail.message}" for detail in fault.details] or [fault.message]
    if "context" in scope.get("state", ()):  # not so where the server itself refuses what is no request
        scope["state"]["context"].reason = lines[0]
    body: dict[str, Any] = {"success": False, "message": fault.message, "error": fault.message}
    media_type = _JSON
    if wants_problem(",".join(Headers(scope=scope).getlist("accept"))):
        body, media_type = _problem(scope, fault), _PROBLEM
    body["errors"] = lines
    if fault.details:
        body["details"] = [_shown(detail) for detail in fault.details]
    response = Response(orjson.dumps(body), fault.status, fault.headers, media_type)
    response.headers.add_vary_header("Accept")
    response.headers["Cache-Control"] = "no-store"
    return response


def wants_problem(accept: str) -> bool:
    """True if RFC 9457 is accepted, and plain JSON not preferred to it."""
    given = weights(accept.encode())
    problem = given.get(_PROBLEM.encode(), 0.0)
    return problem > 0 and problem >= given.get(_JSON.encode(), 0.0)


def _problem(scope: Scope, fault: Fault) -> dict[str, Any]:
    body: dict[str, Any] = {
        "type": f"urn:handover:problem:{fault.code}",
        "title": HTTPStatus(fault.status).phrase,
        "status": fault.status,
        "detail": fault.message,
        "message": fault.message,
        "instance": quote(safe_text(scope["path"])),
    }
    if "context" in scope.get("state", ()):  # not so where the server itself refuses what is no request
        body["requestId"] = scope["state"]["context"].request_id
    return body


def _shown(detail: FieldError) -> dict[str, Any]:
    value = shown(detail.value)
    entry = {"field": detail.field, "message": detail.message}
    return entry if value is ABSENT else {**entry, "value": value}


def _fault_of(scope: Scope, error: Exception) -> Fault:
    if isinstance(error, RequestValidationError):
        return _refused_input(scope, error)
    if isinstance(error, HTTPException):
        return _framework_error(scope, error)
    if isinstance(error, ClientDisconnect):
        return Fault(400, "invalid", "The request ended before its body was complete")
    known = error if isinstance(error, HandoverError) else as_error(error) or Crash(INTERNAL)
    if isinstance(known, Crash):
        log.error("http.crashed", error=type(error).__name__, exc_info=error)
        return Fault(500, known.code, known.message)
    if known.status >= 500:
        log.warning(
            "http.unavailable", code=known.code, error=type(error).__name__, reason=safe_text(str(error))
        )
    headers = None
    if known.retry_after is not None:
        headers = {"Retry-After": str(max(1, math.ceil(known.retry_after)))}
    return Fault(known.status, known.code, safe_text(known.message), known.details, headers)


def _framework_error(scope: Scope, error: HTTPException) -> Fault:
    status = error.status_code
    headers = dict(error.headers or {})
    if status == 405:
        headers["Allow"] = ", ".join(_allowed(scope))
    if error.detail == _UNREADABLE_BODY:
        reason = "is not UTF-8, is nested too deeply, or has a number of too many digits"
        return Fault(400, "invalid", "Malformed JSON", [FieldError("body", reason)])
    message = _SAID_BETTER.get(status) or safe_text(str(error.detail))
    return Fault(status, CODE_BY_STATUS.get(status, f"http.{status}"), message, (), headers)


def _allowed(scope: Scope) -> list[str]:
    """All methods of the path: the framework names only those of the first matching route."""
    routes = scope["app"].router.routes
    found = [
        method
        for method in _METHODS
        if any(route.matches({**scope, "method": method})[0] is Match.FULL for route in routes)
    ]
    return ["GET", "HEAD", *found[1:]] if "GET" in found else found


def _refused_input(scope: Scope, error: RequestValidationError) -> Fault:
    problems = error.errors()
    about_body = any(problem["loc"][:1] == ("body",) for problem in problems)
    if about_body and (wanted := _wrong_media_type(scope)) is not None:
        return Fault(415, "unsupported_media_type", f"Content-Type must be {wanted}")
    if problems and problems[0]["type"] == "json_invalid":
        position = problems[0]["loc"][-1]
        reason = f"is not valid JSON (at character {position})"
        return Fault(400, "invalid", "Malformed JSON", [FieldError("body", reason)])
    return Fault(400, "invalid", VALIDATION_FAILED, field_errors(problems))


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
