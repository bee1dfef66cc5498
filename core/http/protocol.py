"""The server's end of a connection: uvicorn's, but it does not wait for ever for the head of a request.

A request line and its headers have to arrive within HEAD_S and MAX_HEAD_BYTES; whatever is no HTTP gets the
one error shape. Bodies are limited by `core.http.body`. Whole answers can be written in one piece.
"""

import asyncio
from typing import Final, cast

import orjson
from starlette.types import Scope
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from core.http.context import ARRIVING, WRITE, Answer

HEAD_S: Final = 15.0
MAX_HEAD_BYTES: Final = 64 * 1024


class HttpProtocol(HttpToolsProtocol):
    """Named to uvicorn by `core.server`."""

    in_head = True
    head_bytes = 0
    head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # A cast: uvloop's transports do not inherit from asyncio's.
        super().connection_made(cast("asyncio.Transport", transport))
        self.head_timer = self.loop.call_later(HEAD_S, self._head_is_late)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        # A whole head comes with the first bytes as a rule: only a part of one is watched.
        if self.in_head and not self.transport.is_closing():
            self.head_bytes += len(data)
            if self.head_bytes > MAX_HEAD_BYTES:
                self._refuse(431, "The request line and headers are too large")
            elif self.head_timer is None:
                self.head_timer = self.loop.call_later(HEAD_S, self._head_is_late)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.in_head = True

    def on_headers_complete(self) -> None:
        self.in_head = False
        self.head_bytes = 0
        if self.head_timer is not None:
            self._stop_timer()
        self.scope[WRITE] = self.write_answer  # type: ignore[typeddict-unknown-key]
        super().on_headers_complete()
        self.scope[ARRIVING] = self.cycle  # type: ignore[typeddict-unknown-key]

    def write_answer(self, scope: Scope, answer: Answer) -> bool:
        """What the cycle's `send` does in two messages, and two writes to the socket. Where that is not so
        simple it is left to it: HEAD, pipelined requests, connections that close or whose client has to read
        first.
        """
        cycle: RequestResponseCycle = self.cycle
        if (
            cycle.scope is not scope
            or not cycle.keep_alive
            or cycle.disconnected
            or self.flow.write_paused
            or scope["method"] == "HEAD"
        ):
            return False
        cycle.response_started = cycle.response_complete = True
        cycle.waiting_for_100_continue = False
        status, headers, body = answer
        lines = b"\r\n".join(map(b": ".join, (*cycle.default_headers, *headers)))
        self.transport.writelines((b"%b%b\r\n\r\n" % (STATUS_LINE[status], lines), body))
        cycle.message_event.set()
        cycle.on_response()
        return True

    def send_400_response(self, msg: str) -> None:
        self._refuse(400, msg)

    def _head_is_late(self) -> None:
        self.head_timer = None
        self._refuse(408, "The request took too long to arrive")

    def _refuse(self, status: int, message: str) -> None:
        """Not while an earlier request of the connection is being answered: the two would mix."""
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is None or cycle.response_complete:
            body = orjson.dumps({"success": False, "message": message, "error": message, "errors": [message]})
            head = b"content-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"
            self.transport.write(STATUS_LINE[status] + head % len(body) + body)
        self.transport.close()

    def _stop_timer(self) -> None:
        if self.head_timer is not None:
            self.head_timer.cancel()
            self.head_timer = None
