"""The outermost layer: names the request, times it, counts it, logs it once, and lets no exception out.

One wrapper around `send` adds every header that the layers below asked for. An answer that was left in the
request's context goes to the connection in one piece: two messages, and the server's look at each header,
would cost more than it took to find. So does any other whose length is known, when its body is one message.
"""

import itertools
import random
import re
import time
import uuid
from typing import Final

import structlog
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bind_contextvars, reset_contextvars

from core.database.meter import Meter, current_meter
from core.http import metrics
from core.http.client import ClientResolver
from core.http.context import EXCHANGE, KEY, Answer, Header, RequestContext, header_of
from core.http.errors import error_response
from core.http.finished import Finished, record
from core.http.security import headers_for

log = structlog.get_logger("handover.http")

_REQUEST_ID: Final = re.compile(rb"[A-Za-z0-9._-]{1,128}")
_CONTROL: Final = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_CLIENT_GONE: Final = 499
_ID_OF_PROCESS: Final = str(uuid.uuid4())[:24]
_count: Final = itertools.count(random.getrandbits(48))


class _HeadAnswered(OSError):
    """Ends a stream that answers HEAD: the framework takes an OSError for a closed connection."""


class Edge:
    def __init__(self, app: ASGIApp, *, clients: ClientResolver) -> None:
        self.app = app
        self.clients = clients

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        method: str = scope["method"]
        context = RequestContext(_request_id(scope), method)
        context.client = self.clients.resolve(scope)
        context.exchange = scope.pop(EXCHANGE, None)
        scope = _normalized(scope)
        scope[KEY] = context
        variables = bind_contextvars(request_id=context.request_id)
        meter = Meter()
        outer_meter = current_meter.set(meter)
        response = _Response(scope, method, context, meter, send)
        try:
            await self.app(scope, receive, response.send)
            if (answer := context.answer) is not None:
                context.answer = None  # a connection that waits for its next request still holds this one
                await response.send_whole(answer)
        except _HeadAnswered:
            pass
        except ClientDisconnect as error:
            await response.gone(error, receive)
        except Exception as error:  # noqa: BLE001 - the last place that can answer it
            await response.crashed(error, receive)
        finally:
            response.end()
            context.exchange = None  # it holds the scope, which holds the context
            current_meter.reset(outer_meter)
            reset_contextvars(**variables)


class _Response:
    """What was sent so far. `end` is called when the last byte was, or when no more will come."""

    __slots__ = ("context", "ended", "exchange", "head", "held", "meter", "method", "scope", "server_send")

    def __init__(
        self,
        scope: Scope,
        method: str,
        context: RequestContext,
        meter: Meter,
        send: Send,
    ) -> None:
        self.scope = scope
        self.method = method
        self.context = context
        self.meter = meter
        self.server_send = send
        self.exchange = context.exchange
        self.head = method == "HEAD"
        self.held: Message | None = None
        """The start of an answer, until its body is seen."""
        self.ended = False

    async def send(self, message: Message) -> None:
        kind = message["type"]
        if kind == "http.response.start":
            self.context.status = message["status"]
            start: Message = {**message, "headers": [*message.get("headers", ()), *self._headers()]}
            if self.exchange is not None and _may_be_whole(start["headers"]):
                self.held = start
            else:
                await self.server_send(start)
            return
        if self.held is not None:
            start, self.held = self.held, None
            if kind == "http.response.body" and self._written(start, message):
                self.end()
                return
            await self.server_send(start)
        if kind != "http.response.body":
            await self.server_send(message)
            return
        if self.head:
            if self.ended:
                raise _HeadAnswered
            self.end()
            await self.server_send({"type": kind, "body": b"", "more_body": False})
            if message.get("more_body"):
                raise _HeadAnswered
            return
        await self.server_send(message)
        if not message.get("more_body"):
            self.end()

    async def send_whole(self, answer: Answer) -> None:
        status, headers, body = answer
        self.context.status = status
        headers += self._headers()
        if self.exchange is None or not self.exchange.write(answer):
            await self.server_send({"type": "http.response.start", "status": status, "headers": headers})
            await self.send({"type": "http.response.body", "body": body})

    def _written(self, start: Message, message: Message) -> bool:
        body: bytes = message.get("body", b"")
        headers: list[Header] = start["headers"]
        return (
            self.exchange is not None
            and not message.get("more_body")
            and (b"content-length", b"%d" % len(body)) in headers
            and self.exchange.write(Answer(start["status"], headers, body))
        )

    def _headers(self) -> list[tuple[bytes, bytes]]:
        context, meter = self.context, self.meter
        elapsed = (time.perf_counter() - context.started_at) * 1000
        timing = b'db;dur=%.2f;desc="%d queries", app;dur=%.2f' % (
            meter.seconds * 1000,
            meter.queries,
            elapsed,
        )
        return [
            (b"x-request-id", context.request_id.encode()),
            (b"server-timing", timing),
            *headers_for(self.scope["path"]),
            *context.headers,
        ]

    async def gone(self, error: ClientDisconnect, receive: Receive) -> None:
        if self.context.status == 0:
            self.context.status = _CLIENT_GONE

    async def crashed(self, error: Exception, receive: Receive) -> None:
        if self.context.status == 0 or self.held is not None:
            self.held = None
            await error_response(self.scope, error)(self.scope, receive, self.send)
            return
        # The status line is out. Returning without the last chunk makes the server cut the connection,
        # so the client cannot take half an answer for a whole one.
        log.error("http.crashed", error=type(error).__name__, after="response started", exc_info=error)

    def end(self) -> None:
        """Count and log, once."""
        if self.ended:
            return
        self.ended = True
        context, scope = self.context, self.scope
        record(
            Finished(
                time.time(),
                self.method,
                metrics.route_of(scope),
                scope["path"],
                context.status or _CLIENT_GONE,
                time.perf_counter() - context.started_at,
                self.meter.queries,
                context.client,
                context.request_id,
            )
        )


def _may_be_whole(headers: list[Header]) -> bool:
    """Has a length, nothing that means something to the connection, and nothing that would end a line: the
    server's way deals with these.
    """
    names = [name for name, _ in headers]
    return (
        b"content-length" in names
        and b"connection" not in names
        and b"transfer-encoding" not in names
        and _CONTROL.search(b"".join(map(b"".join, headers))) is None
    )


def _request_id(scope: Scope) -> str:
    given = header_of(scope, b"x-request-id")
    if given is not None and _REQUEST_ID.fullmatch(given):
        return given.decode()
    return _new_id()


def _new_id() -> str:
    """A UUID like others (version 4) at a tenth of their cost: random for each process, then counted. An id
    names a request and guards nothing.
    """
    return f"{_ID_OF_PROCESS}{next(_count) & 0xFFFFFFFFFFFF:012x}"


def _normalized(scope: Scope) -> Scope:
    """HEAD is answered by the GET route; a trailing slash means nothing, as it did for the old servers.

    Then it is a copy: the server's own scope stays as it is. An escaped slash (`%2F`) at the end belongs to
    the id before it.
    """
    path: str = scope["path"]
    ends = (
        len(path) > 1 and path.endswith("/") and scope.get("raw_path", b"/").partition(b"?")[0].endswith(b"/")
    )
    if scope["method"] == "HEAD":
        scope = {**scope, "method": "GET"}
    if ends:
        scope = {**scope, "path": path.rstrip("/") or "/"}
    return scope
