"""Outermost middleware: gives each request its id, times it, has it logged and counted, lets no exception
out.

Its one wrapper around `send` (`core.http.answers.sending`) adds every header that the layers below asked for
in the request's context.
"""

import itertools
import math
import random
import re
import uuid
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from ipaddress import ip_network
from typing import Final

import structlog
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send
from structlog.contextvars import bind_contextvars, reset_contextvars

from core.database.metrics import Meter, current_meter
from core.http.answers.errors import error_response
from core.http.answers.sending import CLIENT_GONE, HeadAnswered, Sending
from core.http.request.context import SUBREQUEST, Header, RequestContext
from core.http.request.rate_limit import parse_address

log = structlog.get_logger("handover.http")

_REQUEST_ID: Final = re.compile(rb"[A-Za-z0-9._-]{1,128}")
_TRACEPARENT: Final = re.compile(
    rb"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}"
)
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


class RequestMiddleware:
    """`checks` are made in their order; `layers` wrap the app for requests that pass, from the inside out.
    Responses from `minimum_size` bytes on are compressed.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        clients: ClientResolver,
        checks: Sequence[Check] = (),
        layers: Sequence[Callable[[ASGIApp], ASGIApp]] = (),
        minimum_size: float = math.inf,
    ) -> None:
        self._lifespan = self.app = app
        self._clients = clients
        self._checks = checks
        self._minimum_size = minimum_size
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
        sending = Sending(scope, context, meter, send, self._minimum_size)
        try:
            answer = None
            for check in self._checks:
                if (answer := await check(scope, context)) is not None:
                    break
            await (answer or self.app)(scope, receive, sending.send)
        except HeadAnswered:
            pass
        except ClientDisconnect:
            context.status = context.status or CLIENT_GONE
        except Exception as error:  # the last place that can answer it
            if context.status == 0:
                await error_response(scope, error)(scope, receive, sending.send)
            else:
                # The status line is out. Returning without the last chunk makes the server cut the
                # connection, so the client cannot take half an answer for a whole one.
                log.exception("http.crashed", error=type(error).__name__, after="response started")
        finally:
            if not sending.ended:
                sending.end()
            current_meter.reset(outer_meter)
            reset_contextvars(**variables)


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
