"""Limits of a connection: of a request's head (size, `Host` and transfer codings), and of an answer's
delivery.
"""

import asyncio
import re
import socket
import sys
from collections.abc import Iterable
from typing import Final

from starlette.exceptions import HTTPException

from core.errors import FieldError, InvalidFields
from core.http.request.context import Header

MAX_HEAD_BYTES: Final = 64 * 1024

# A name, an IPv4 address or one of IPv6 in brackets, and a port (RFC 9110, 7.2, and RFC 3986, 3.2.2).
_HOST: Final = re.compile(rb"([A-Za-z0-9._~%!$&'()*+,;=-]*|\[[0-9A-Fa-f:.]+\])(:[0-9]*)?")

_ACKNOWLEDGED: Final = slice(120, 128)
"""Position in Linux' `struct tcp_info` of the count of bytes that the peer has acknowledged."""


def head_too_large() -> HTTPException:
    return HTTPException(431, f"The request line and headers are larger than {MAX_HEAD_BYTES} bytes")


def check_size(url: bytes, headers: Iterable[Header]) -> None:
    if len(url) + sum(len(name) + len(value) + 4 for name, value in headers) > MAX_HEAD_BYTES:
        raise head_too_large()


def check_fields(headers: Iterable[Header], version: str) -> None:
    """Raises InvalidFields unless there is exactly one valid `Host`; HTTP/1.0 had none (RFC 9112, 3.2).
    Raises HTTPException for a transfer coding other than `chunked` (RFC 9112, 6.1).
    """
    hosts = []
    for name, value in headers:
        if name == b"host":
            hosts.append(value)
        elif name == b"transfer-encoding" and value.lower() != b"chunked":
            raise HTTPException(501, "Transfer-Encoding must be chunked, without another coding")
    if _HOST.fullmatch(hosts[0]) if len(hosts) == 1 else not hosts and version == "1.0":
        return
    raise InvalidFields([FieldError("Host", "must be sent once, as name or name:port")])


class Delivery:
    """Progress of one connection, sampled now and then. Times are in seconds, on the loop's clock."""

    def __init__(self, transport: asyncio.Transport, now: float) -> None:
        self._transport = transport
        self._progress: int | None = None
        self._progress_at = now

    def stalled_s(self, now: float) -> float:
        """Seconds for which there was something to send and no progress, as far as it was sampled."""
        progress = self._seen() if self._transport.get_write_buffer_size() else None
        if progress is None or progress != self._progress:
            self._progress, self._progress_at = progress, now
        return now - self._progress_at

    def _seen(self) -> int:
        """Bytes acknowledged by the peer: bytes that have left this process may be on their way for long, as
        the kernel buffers some megabytes. Other systems do not tell; there the write buffer has to do.
        """
        connection = self._transport.get_extra_info("socket")
        if connection is None or not hasattr(socket, "TCP_INFO"):
            return self._transport.get_write_buffer_size()
        told = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _ACKNOWLEDGED.stop)
        return int.from_bytes(told[_ACKNOWLEDGED], sys.byteorder)
