"""Security headers of responses, ready as bytes. Pages need scripts and styles of their own."""

from typing import Final

from core.http.request.context import Header


def security_headers(policy: bytes) -> tuple[Header, ...]:
    """Headers with a content security policy that allows what `policy` names, and nothing else."""
    return (
        (b"x-content-type-options", b"nosniff"),
        (b"x-frame-options", b"DENY"),
        (b"referrer-policy", b"no-referrer"),
        (
            b"content-security-policy",
            b"default-src 'none'; %bframe-ancestors 'none'; base-uri 'none'" % policy,
        ),
    )


API_HEADERS: Final = security_headers(b"")
DOCS_HEADERS: Final = security_headers(
    b"script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; "
    b"connect-src 'self'; form-action 'none'; "
)
