"""Errors with a response: the kind decides the HTTP status, the code names the exact case.

A slice subclasses a kind and gives it a dotted, permanent `code` (`items.not_found`); one that is raised in
one place and caught by nobody takes it as an argument. Messages are written for the caller: no SQL, no
paths, no stack. `core.http.answers.errors` turns them into answers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from pydantic_core import PydanticUndefined

ABSENT: Final = PydanticUndefined
"""There is no value to show (a missing field), which differs from null."""


@dataclass(frozen=True, slots=True)
class FieldError:
    """Refused field. `field` is a path such as `tags.0`; `value` is shortened when shown."""

    field: str
    message: str
    value: object = ABSENT


class HandoverError(Exception):
    """Root of every error with a response. `retry_after` is in seconds and becomes `Retry-After`."""

    status: int = 500
    code: str = "crash"
    default_retry_after: ClassVar[float | None] = None

    def __init_subclass__(cls, status: int | None = None, code: str | None = None) -> None:
        super().__init_subclass__()
        cls.status, cls.code = status or cls.status, code or cls.code

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        details: Sequence[FieldError] = (),
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code or self.code
        self.message = message
        self.details: tuple[FieldError, ...] = tuple(details)
        self.retry_after = self.default_retry_after if retry_after is None else retry_after


class Invalid(HandoverError, status=400, code="invalid"):
    """The input is wrong."""


class InvalidFields(Invalid):
    """Fields of the input are wrong, in the ways that the details name."""

    def __init__(self, details: Sequence[FieldError]) -> None:
        super().__init__("Validation failed", details=details)


class Unauthorized(HandoverError, status=401, code="unauthorized"):
    """Nobody is known."""


class Forbidden(HandoverError, status=403, code="forbidden"):
    """Known, but not allowed."""


class NotFound(HandoverError, status=404, code="not_found"):
    """There is no such thing."""


class MethodNotAllowed(HandoverError, status=405, code="method_not_allowed"):
    """The path exists, the method does not."""


class Conflict(HandoverError, status=409, code="conflict"):
    """It collides with what is stored."""


class Gone(HandoverError, status=410, code="gone"):
    """It was there, and is no more."""


class PreconditionFailed(HandoverError, status=412, code="precondition_failed"):
    """The caller's version is not the newest."""


class TooLarge(HandoverError, status=413, code="too_large"):
    """More bytes than the limit."""


class UnsupportedMediaType(HandoverError, status=415, code="unsupported_media_type"):
    """The body is of another type."""


class RangeNotSatisfiable(HandoverError, status=416, code="range_not_satisfiable"):
    """The range begins behind the end."""


class Misdirected(HandoverError, status=421, code="misdirected"):
    """The request is for a server of another name (RFC 9110, 15.5.20)."""


class RateLimited(HandoverError, status=429, code="rate_limited"):
    """Too many requests."""

    default_retry_after = 1.0


class Crash(HandoverError, status=500, code="crash"):
    """A fault of ours."""


class Unavailable(HandoverError, status=503, code="unavailable"):
    """Something that we need is down."""

    default_retry_after = 1.0


KINDS: Final = tuple(HandoverError.__subclasses__())
"""All of the above; each has a status of its own."""
