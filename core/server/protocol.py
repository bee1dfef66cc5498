"""HTTP/1.1 protocol of a connection: uvicorn's, with a limit in every state.

| state | limit | then |
| --- | --- | --- |
| no request yet, or a part of a head (request line and headers) | HEAD_S, MAX_HEAD_BYTES | 408; 414 or 431 |
| idle after an answer, also after stray line ends | the server's `timeout_keep_alive` | closed |
| the rest of a body whose request was answered without it | the same, in all | closed |
| a body that a route reads | `core.http.request.body`: a pause, a whole | 408 |
| a request is being answered | none: its client has nothing to do | |
| an answer that its client does not take | UNREAD_S without a byte acknowledged | cut off |
| answered for the last time, while its client may still be sending | LINGER_S | closed |

One timer for each connection looks at them, every CHECK_S. Streams of events may last as long as their client
takes what is sent. Requests are answered in their order, those that are refused here included. A client that
ends its side (a half-close) gets the answers to its whole requests, but event streams end with it.
"""

import asyncio
from collections.abc import Sized
from typing import Final, cast
from urllib.parse import unquote

import httptools
import structlog
from starlette.exceptions import HTTPException
from starlette.types import Message, Scope
from uvicorn._types import ASGI3Application, HTTPScope
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from core.errors import HandoverError
from core.http.answers.errors import error_response
from core.server.limits import MAX_HEAD_BYTES, Delivery, check_fields, check_size, head_too_large

log = structlog.get_logger("handover.http")

HEAD_S: Final = 15.0
UNREAD_S: Final = 30.0
LINGER_S: Final = 5.0
CHECK_S: Final = 5.0
MOST_WAITING: Final = 32
"""Upper bound of the pipelined requests of a connection: while so many wait, nothing more is read from it."""


class Flow(FlowControl):
    """Flow control that reads on only below the bound of waiting requests. uvicorn's would read on after each
    answer: who asks faster than it is answered would fill the memory.
    """

    def __init__(self, transport: asyncio.Transport, waiting: Sized) -> None:
        super().__init__(transport)
        self._waiting = waiting

    def resume_reading(self) -> None:
        if len(self._waiting) < MOST_WAITING:
            super().resume_reading()


class Cycle(RequestResponseCycle):
    """One request and its answer. `broken`: the reason why no more of the body will come. `endless`: the
    answer is a stream of events. `half_closed`: its client will send nothing more. `lingers`: who is still
    sending when the connection closes may never see the answer, so it is half-closed for a while (RFC 9112,
    9.6).
    """

    broken: str | None = None
    endless = False
    half_closed = False
    lingers = False

    async def send(self, message: Message) -> None:  # type: ignore[override]
        if message["type"] == "http.response.start":
            self.endless = any(
                name == b"content-type" and value.startswith(b"text/event-stream")
                for name, value in message["headers"]
            )
            if self.endless and self.half_closed:
                self.disconnected = True
                self.transport.close()
        elif self.more_body and not (self.keep_alive or self.half_closed or message.get("more_body")):
            self.lingers = self.keep_alive = True
        await super().send(message)  # type: ignore[arg-type]

    async def receive(self) -> Message:  # type: ignore[override]
        """Next message of the body. Raises HTTPException, which the body's reader passes on as the answer."""
        message = await super().receive()
        if self.broken and not self.response_started:
            raise HTTPException(400, self.broken)
        return {"type": "http.disconnect"} if self.broken else cast(Message, message)

    def break_off(self, reason: str) -> None:
        self.broken = reason
        self.keep_alive = False
        self.message_event.set()


class HttpProtocol(HttpToolsProtocol):
    """Named to uvicorn by `core.server.serve`, for the main port and the admin port."""

    timer: asyncio.TimerHandle
    deadline = 0.0
    """Time on the loop's clock until which the client has to act, when it is its turn."""
    in_head = True
    head_bytes = 0
    """Bytes of a head that came in pieces or in a large one, as far as they hold nothing but it."""
    ending = False
    """True when the connection ends after the answers that are due: bytes that still arrive are ignored."""
    cycle: Cycle | None = None  # type: ignore[assignment]
    """Request that arrived last; `answering` is the one being answered."""
    answering: Cycle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # A cast: uvloop's transports do not inherit from asyncio's.
        super().connection_made(cast("asyncio.Transport", transport))
        self.flow = Flow(self.transport, self.pipeline)
        self.delivery = Delivery(self.transport, self.loop.time())
        self.on_message_begin()
        self.deadline = self.loop.time() + HEAD_S
        self.timer = self.loop.call_later(CHECK_S, self._check)

    def connection_lost(self, exc: Exception | None) -> None:
        self.timer.cancel()
        if self.answering is not None:
            self.answering.disconnected = True
            self.answering.message_event.set()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.ending:
            return
        # A whole head comes with its first bytes as a rule: only others are measured.
        head = self.headers if self.in_head else None
        if head is not None or len(data) > MAX_HEAD_BYTES:
            self.head_bytes += len(data)
        try:
            self._feed(data)
            if not self.in_head:
                self.head_bytes = 0
            elif self.headers is not head:
                self.head_bytes = 0
                self.deadline = self.loop.time() + HEAD_S
            elif self.head_bytes > MAX_HEAD_BYTES:
                raise head_too_large()
        except (httptools.HttpParserError, HTTPException) as error:
            self._stop(error)

    def eof_received(self) -> bool:  # type: ignore[override]
        """Handle the client's half-close. False closes the connection."""
        cycle, answering = self.cycle, self.answering
        if cycle is None or answering is None or answering.endless:
            return False
        if cycle.more_body:
            cycle.break_off("The request ended before its body was complete")
        for each in (answering, *(cast(Cycle, waiting) for waiting, _ in self.pipeline)):
            each.half_closed = True
        cycle.keep_alive = False
        return True

    def _feed(self, data: bytes | memoryview) -> None:
        """Feed the parser. It takes what follows a head with an `Upgrade` for the other protocol. No other is
        spoken here, so the offer is ignored (RFC 9110, 7.8): a new parser gets the same head without it.
        """
        while True:
            try:
                self.parser.feed_data(data)
                return
            except httptools.HttpParserUpgrade as offer:
                method, version = self.parser.get_method(), self.parser.get_http_version()
                if method == b"CONNECT":
                    raise HTTPException(400, "CONNECT is not supported: this server is no proxy") from None
                lines = [b"%b: %b\r\n" % header for header in self.headers if header[0] != b"upgrade"]
                head = b"%b %b HTTP/%b\r\n%b\r\n" % (method, self.url, version.encode(), b"".join(lines))
                self.parser = httptools.HttpRequestParser(self)
                self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
                self.parser.feed_data(head)
                data = memoryview(data)[offer.args[0] :]

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.in_head = True

    def on_url(self, url: bytes) -> None:
        self.url += url
        if len(self.url) >= MAX_HEAD_BYTES:
            raise HTTPException(414, f"The URL is too long; at most {MAX_HEAD_BYTES} bytes are read")

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.in_head:
            return  # a trailer, which must not pass for a header (RFC 9110, 6.5.1)
        name, value = name.lower(), value.strip(b" \t")
        if name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        parser, scope = self.parser, self.scope
        if parser.should_upgrade():
            return  # `_feed` has it read once more
        scope["method"] = parser.get_method().decode()
        scope["http_version"] = version = parser.get_http_version()
        url = httptools.parse_url(self.url)
        raw_path = url.path or b"/"  # an absolute URL may have none (RFC 9112, 3.2.1)
        path = raw_path.decode("ascii")
        scope["path"] = unquote(path) if "%" in path else path
        scope["raw_path"] = raw_path
        scope["query_string"] = url.query or b""
        if self.head_bytes:
            check_size(self.url, self.headers)
        check_fields(self.headers, version)
        self.in_head = False
        cycle = self._cycle(scope, keep_alive=version != "1.0" and parser.should_keep_alive())
        self._take(cycle, self.app)

    def on_message_complete(self) -> None:
        if self.cycle is not None and not self.parser.should_upgrade():
            self.cycle.more_body = False
            self.cycle.message_event.set()

    def on_response_complete(self) -> None:
        self.server_state.total_requests += 1
        answered, self.answering = self.answering, None
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if answered is not None and answered.lingers:
            self.ending = True
            self.transport.write_eof()
            self.deadline = self.loop.time() + LINGER_S
        elif self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        else:
            self.deadline = self.loop.time() + (HEAD_S if self.in_head else self.timeout_keep_alive)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self.answering = cast(Cycle, cycle)
        super()._start_asgi_task(cycle, app)

    def _take(self, cycle: Cycle, app: ASGI3Application) -> None:
        """Answer the request at once, or queue it after those that came before."""
        self.cycle = cycle
        if self.answering is not None:
            self.flow.pause_reading()
            self.pipeline.appendleft((cycle, app))
        else:
            self._start_asgi_task(cycle, app)

    def _cycle(self, scope: HTTPScope, *, keep_alive: bool) -> Cycle:
        return Cycle(
            scope=scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=False,  # `core.http.answers.sending` has it
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=self.expect_100_continue,
            keep_alive=keep_alive,
            on_response=self.on_response_complete,
        )

    def _stop(self, error: Exception) -> None:
        """Read no more: no request has arrived, or none that is answered, or no body of one. An error that
        callbacks of the parser raise is the context of one of its own.
        """
        cycle = self.cycle
        if cycle is None or not cycle.more_body:
            reason = error if isinstance(error, HTTPException) else error.__context__
            if not isinstance(reason, HTTPException | HandoverError):
                reason = HTTPException(400, "The request is not valid HTTP/1.1")
            self._refuse(reason)
        elif cycle.response_complete:
            self.transport.close()
        else:
            self.ending = True
            cycle.break_off("The request body has a malformed chunk")

    def _refuse(self, error: HTTPException | HandoverError) -> None:
        """Answer with the error in the one error shape, as the last answer."""
        self.ending = True
        log.info("http.refused", reason=str(error), client=self.client[0] if self.client else None)
        scope: Scope = {"method": "GET", "path": "", **self.scope}
        cycle = self._cycle(cast(HTTPScope, scope), keep_alive=False)
        self._take(cycle, cast(ASGI3Application, error_response(scope, error)))

    def _check(self) -> None:
        now = self.loop.time()
        if self.delivery.stalled_s(now) >= UNREAD_S:
            self.transport.abort()
            return
        pause = CHECK_S
        if self.answering is None and not self.transport.is_closing():
            if now < self.deadline:
                pause = min(CHECK_S, self.deadline - now)
            elif self.in_head and not self.ending:
                self._refuse(HTTPException(408, "The request took too long to arrive"))
            else:
                self.transport.close()
        self.timer = self.loop.call_later(pause, self._check)
