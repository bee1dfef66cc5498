"""Limits of a request's head, its request line and headers: size, `Host` and transfer codings."""

import re
from collections.abc import Iterable
from typing import Final

from starlette.exceptions import HTTPException

from core.errors import FieldError, Invalid
from core.http.answers.errors import VALIDATION_FAILED
from core.http.request.context import Header

MAX_HEAD_BYTES: Final = 64 * 1024

# A name, an IPv4 address or one of IPv6 in brackets, and a port (RFC 9110, 7.2, and RFC 3986, 3.2.2).
_HOST: Final = re.compile(rb"([A-Za-z0-9._~%!$&'()*+,;=-]*|\[[0-9A-Fa-f:.]+\])(:[0-9]*)?")


def url_too_long() -> HTTPException:
    return HTTPException(414, f"The URL is too long; at most {MAX_HEAD_BYTES} bytes are read")


def head_too_large() -> HTTPException:
    return HTTPException(431, f"The request line and headers are larger than {MAX_HEAD_BYTES} bytes")


def check_size(url: bytes, headers: Iterable[Header]) -> None:
    if len(url) + sum(len(name) + len(value) + 4 for name, value in headers) > MAX_HEAD_BYTES:
        raise head_too_large()


def check_fields(headers: Iterable[Header], version: str) -> None:
    """Raises Invalid unless there is exactly one valid `Host`; HTTP/1.0 had none (RFC 9112, 3.2). Raises
    HTTPException for a transfer coding other than `chunked` (RFC 9112, 6.1).
    """
    hosts = []
    for name, value in headers:
        if name == b"host":
            hosts.append(value)
        elif name == b"transfer-encoding" and value.lower() != b"chunked":
            raise HTTPException(501, "Transfer-Encoding must be chunked, without another coding")
    if _HOST.fullmatch(hosts[0]) if len(hosts) == 1 else not hosts and version == "1.0":
        return
    wrong = FieldError("Host", "must be sent once, as name or name:port")
    raise Invalid(VALIDATION_FAILED, details=[wrong])
