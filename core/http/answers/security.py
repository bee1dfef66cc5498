"""Security headers of responses, ready as bytes. `/docs` needs scripts and styles of its own."""

from typing import Final

from core.http.request.context import Header

_COMMON: Final[tuple[Header, ...]] = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
)
API_HEADERS: Final[tuple[Header, ...]] = (
    *_COMMON,
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'; base-uri 'none'"),
)
DOCS_HEADERS: Final[tuple[Header, ...]] = (
    *_COMMON,
    (
        b"content-security-policy",
        b"default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        b"font-src 'self' data:; connect-src 'self'; form-action 'none'; frame-ancestors 'none'; "
        b"base-uri 'none'",
    ),
)
