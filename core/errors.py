"""Errors with a response: the kind decides the HTTP status, the code names the exact case.

    HandoverError
    ├── Invalid               the input is wrong                      400
    ├── Unauthorized          nobody is known                         401
    ├── Forbidden             known, but not allowed                  403
    ├── NotFound              no such thing                           404
    ├── MethodNotAllowed      the path exists, the method does not    405
    ├── Conflict              it collides with what is stored         409
    ├── Gone                  it was there, and is no more            410
    ├── PreconditionFailed    the caller's version is not the newest  412
    ├── TooLarge              more bytes than the limit               413
    ├── UnsupportedMediaType  the body is of another type             415
    ├── RangeNotSatisfiable   the range begins behind the end         416
    ├── Misdirected           for a server of another name            421
    ├── RateLimited           too many requests                       429
    ├── Crash                 a fault of ours                         500
    └── Unavailable           something we need is down               503

A slice subclasses a kind and gives it a dotted, permanent `code` (`items.not_found`). Messages are
written for the caller: no SQL, no paths, no stack. `core.http.answers.errors` turns them into answers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar, Final

STATUS_BY_KIND: Final[Mapping[str, int]] = MappingProxyType(
    {
        "invalid": 400,
        "unauthorized": 401,
        "forbidden": 403,
        "not_found": 404,
        "method_not_allowed": 405,
        "conflict": 409,
        "gone": 410,
        "precondition_failed": 412,
        "too_large": 413,
        "unsupported_media_type": 415,
        "range_not_satisfiable": 416,
        "misdirected": 421,
        "rate_limited": 429,
        "crash": 500,
        "unavailable": 503,
    }
)


class Absent:
    """Type of `ABSENT`: there is no value to show (a missing field), which differs from null."""

    _instance: ClassVar["Absent | None"] = None

    def __new__(cls) -> "Absent":
        if cls._instance is None:
            cls._instance = super().__new__(cls)
        return cls._instance

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final = Absent()


@dataclass(frozen=True, slots=True)
class FieldError:
    """Refused field. `field` is a path such as `tags.0`; `value` is shortened when shown."""

    field: str
    message: str
    value: object = ABSENT


class HandoverError(Exception):
    """Root of every error with a response. `retry_after` is in seconds and becomes `Retry-After`."""

    kind: ClassVar[str] = "crash"
    code: ClassVar[str] = "crash"
    status: ClassVar[int] = STATUS_BY_KIND["crash"]
    default_retry_after: ClassVar[float | None] = None

    def __init_subclass__(cls, **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        cls.status = STATUS_BY_KIND[cls.kind]

    def __init__(
        self, message: str, *, details: Sequence[FieldError] = (), retry_after: float | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.details: tuple[FieldError, ...] = tuple(details)
        self.retry_after = self.default_retry_after if retry_after is None else retry_after

    def __str__(self) -> str:
        return self.message


class Invalid(HandoverError):
    kind = code = "invalid"


class Unauthorized(HandoverError):
    kind = code = "unauthorized"


class Forbidden(HandoverError):
    kind = code = "forbidden"


class NotFound(HandoverError):
    kind = code = "not_found"


class MethodNotAllowed(HandoverError):
    kind = code = "method_not_allowed"


class Conflict(HandoverError):
    kind = code = "conflict"


class Gone(HandoverError):
    kind = code = "gone"


class PreconditionFailed(HandoverError):
    kind = code = "precondition_failed"


class TooLarge(HandoverError):
    kind = code = "too_large"


class UnsupportedMediaType(HandoverError):
    kind = code = "unsupported_media_type"


class RangeNotSatisfiable(HandoverError):
    kind = code = "range_not_satisfiable"


class Misdirected(HandoverError):
    """The request is for a server of another name (RFC 9110, 15.5.20)."""

    kind = "misdirected"
    code = "misdirected"


class RateLimited(HandoverError):
    kind = code = "rate_limited"
    default_retry_after = 1.0


class Crash(HandoverError):
    kind = code = "crash"


class Unavailable(HandoverError):
    kind = code = "unavailable"
    default_retry_after = 1.0
