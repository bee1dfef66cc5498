"""Outermost middleware: gives each request its id, times it, has it logged and counted, lets no exception
out.

Its one wrapper around `send` adds every header that the layers below asked for in the request's context.
"""

import itertools
import random
import re
import time
import uuid
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from ipaddress import ip_network
from typing import Final

import structlog
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bind_contextvars, reset_contextvars

from core.database.metrics import Meter, current_meter
from core.http.answers.access_log import UNMATCHED, AnsweredRequest, record
from core.http.answers.errors import error_response
from core.http.request.context import API_HEADERS, SUBREQUEST, Header, RequestContext
from core.http.request.rate_limit import parse_address
from core.observability import tracing

log = structlog.get_logger("handover.http")

_REQUEST_ID: Final = re.compile(rb"[A-Za-z0-9._-]{1,128}")
_TRACEPARENT: Final = re.compile(
    rb"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}"
)
_CLIENT_GONE: Final = 499
_TRACED: Final = tracing.is_configured()
_UNREAD_BODY: Final = (408, 413)
"""Statuses of requests whose body is not read to its end: the connection is closed."""
_ID_OF_PROCESS: Final = str(uuid.uuid4())[:24]
_count: Final = itertools.count(random.getrandbits(48))

Check = Callable[[Scope, RequestContext], Awaitable[Response | None]]
"""Check of a request before anything else looks at it. Raises HandoverError to refuse it, returns a response
to answer it.
"""


class ClientResolver:
    """Resolver of client addresses: that of the peer, or the one that trusted proxies forward.
    `trusted_proxies`: addresses, networks, `unix` for a socket's peer.

    `X-Forwarded-For` counts only when the peer is one of them, and only as far as trusted proxies wrote it:
    the right-most entry that is not itself a trusted proxy. Anything further left is the client's word.
    """

    def __init__(self, trusted_proxies: Sequence[str]) -> None:
        self._unix = "unix" in trusted_proxies
        self._networks = [ip_network(entry, strict=False) for entry in trusted_proxies if entry != "unix"]

    def resolve(self, scope: Scope) -> str:
        client = scope.get("client")
        peer: str = client[0] if client and client[0] else "unix"
        if (self._networks or self._unix) and self._trusts(peer):
            return self._forwarded(scope) or peer
        return peer

    def _trusts(self, text: str) -> bool:
        if text == "unix":
            return self._unix
        address = parse_address(text)
        return address is not None and any(address in network for network in self._networks)

    def _forwarded(self, scope: Scope) -> str | None:
        values = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
        found: str | None = None
        for entry in reversed(b",".join(values).decode("latin-1").split(",")):
            address = parse_address(entry)
            if address is None:
                break
            found = str(address)
            if not self._trusts(found):
                break
        return found


class _HeadAnswered(OSError):
    """Ends a stream that answers HEAD: the framework takes an OSError for a closed connection."""


class RequestMiddleware:
    """`checks` are made in their order; `layers` wrap the app for requests that pass, from the inside out."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        clients: ClientResolver,
        checks: Sequence[Check] = (),
        layers: Sequence[Callable[[ASGIApp], ASGIApp]] = (),
    ) -> None:
        self._lifespan = self.app = app
        self._clients = clients
        self._checks = checks
        for layer in layers:
            self.app = layer(self.app)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._lifespan(scope, receive, send)
            return
        app, headers = scope.get("app"), _joined(scope["headers"])
        context = RequestContext(
            _request_id(headers),
            scope["method"],
            headers,
            self._clients.resolve(scope),
            None if app is None else getattr(app.state, "platform", None),
        )
        # A copy: the server's own scope stays as it is.
        scope = {**scope, "path": _path(scope), "state": {**scope.get("state", {}), "context": context}}
        if context.method == "HEAD":
            scope["method"] = "GET"
        variables = bind_contextvars(request_id=context.request_id)
        # What another request asks for is measured, counted and logged with that one.
        meter = (current_meter.get() if SUBREQUEST in scope["state"] else None) or Meter()
        outer_meter = current_meter.set(meter)
        response = _Response(scope, context, meter, send)
        try:
            answer = None
            for check in self._checks:
                if (answer := await check(scope, context)) is not None:
                    break
            await (answer or self.app)(scope, receive, response.send)
        except _HeadAnswered:
            pass
        except ClientDisconnect:
            context.status = context.status or _CLIENT_GONE
        except Exception as error:  # noqa: BLE001 - the last place that can answer it
            await response.failed(error, receive)
        finally:
            if not response.ended:
                response.end()
            current_meter.reset(outer_meter)
            reset_contextvars(**variables)


class _Response:
    """Response as it is sent. `end` is called after its last byte, or when no more will come."""

    def __init__(self, scope: Scope, context: RequestContext, meter: Meter, send: Send) -> None:
        self.scope = scope
        self.context = context
        self.meter = meter
        self.server_send = send
        self.ended = False

    async def send(self, message: Message) -> None:
        more = False
        if message["type"] == "http.response.start":
            self.context.status = message["status"]
            if _TRACED:  # the span ends with the last byte
                tracing.describe_request(
                    self.context.method, self.context.request_id, self.scope.get("route")
                )
            if message["status"] in _UNREAD_BODY:
                self.context.response_headers.append((b"connection", b"close"))
            message = {**message, "headers": [*message.get("headers", ()), *self._headers()]}
            more = True
        elif message["type"] == "http.response.body":
            more = message.get("more_body", False)
            if self.context.method == "HEAD":
                if not self.ended:
                    self.end()
                    await self.server_send({"type": "http.response.body", "body": b"", "more_body": False})
                if more:
                    raise _HeadAnswered
                return
        await self.server_send(message)
        if not (more or self.ended):
            self.end()

    def _headers(self) -> list[Header]:
        context, meter = self.context, self.meter
        elapsed = (time.perf_counter() - context.started_at) * 1000
        timing = b'db;dur=%.2f;desc="%d %b", app;dur=%.2f' % (
            meter.seconds * 1000,
            meter.queries,
            b"query" if meter.queries == 1 else b"queries",
            elapsed,
        )
        return [
            (b"x-request-id", context.request_id.encode()),
            (b"server-timing", timing),
            *(context.security or API_HEADERS),
            *context.response_headers,
        ]

    async def failed(self, error: Exception, receive: Receive) -> None:
        if self.context.status == 0:
            await error_response(self.scope, error)(self.scope, receive, self.send)
            return
        # The status line is out. Returning without the last chunk makes the server cut the connection,
        # so the client cannot take half an answer for a whole one.
        log.error("http.crashed", error=type(error).__name__, after="response started", exc_info=error)

    def end(self) -> None:
        """Count and log the request. To be called once."""
        self.ended = True
        if SUBREQUEST in self.scope["state"]:
            return
        context = self.context
        record(
            AnsweredRequest(
                time.time(),
                context.method,
                getattr(self.scope.get("route"), "path_format", UNMATCHED),
                self.scope["path"],
                context.status or _CLIENT_GONE,
                time.perf_counter() - context.started_at,
                self.meter.queries,
                context.client,
                context.request_id,
                context.reason,
            )
        )


def _joined(headers: Iterable[Header]) -> dict[bytes, bytes]:
    """Values by lower case names. Several of one name are the one list that they mean (RFC 9110, 5.3)."""
    found: dict[bytes, bytes] = {}
    for name, value in headers:
        found[name] = b"%b,%b" % (found[name], value) if name in found else value
    return found


def _request_id(headers: Mapping[bytes, bytes]) -> str:
    """The client's id of the request, or that of its trace (W3C Trace Context), by which logs and the audit
    trail then find it; else a new one: a UUID (version 4) at a tenth of the usual cost, random for each
    process, then counted. An id names a request and guards nothing.
    """
    given = headers.get(b"x-request-id")
    if given is not None and _REQUEST_ID.fullmatch(given):
        return given.decode()
    parent = headers.get(b"traceparent")
    if parent is not None and (trace := _TRACEPARENT.fullmatch(parent)):
        return trace[1].decode()
    return f"{_ID_OF_PROCESS}{next(_count) & 0xFFFFFFFFFFFF:012x}"


def _path(scope: Scope) -> str:
    """Path in which a trailing slash means nothing, as for the old servers. An escaped slash (`%2F`) at the
    end belongs to the id before it.
    """
    path: str = scope["path"]
    if path.endswith("/") and scope.get("raw_path", b"/").endswith(b"/"):
        return path.rstrip("/") or "/"
    return path
