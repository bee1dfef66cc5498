"""Delivery on one connection: the time for which its peer has acknowledged nothing."""

import asyncio
import socket
import sys
from typing import Final

from starlette.types import Message

_ACKNOWLEDGED: Final = slice(120, 128)
"""Position in Linux' `struct tcp_info` of the count of bytes that the peer has acknowledged."""


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


def is_event_stream(start: Message) -> bool:
    """True for an event stream, which lasts as long as its client takes it."""
    return any(
        name == b"content-type" and value.startswith(b"text/event-stream") for name, value in start["headers"]
    )
