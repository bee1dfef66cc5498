"""Limits of a request body: its bytes (413, before or while it is read) and the time they take (408).

An encoded (compressed) one is refused (415): it would have to be decoded within these limits.

MAX_BODY_BYTES holds for every route. A route raises it for itself by calling `allow_body` before it reads
`request.stream()`. Such a body may take as long as it needs, if its client does not pause for long; an
ordinary one has to be complete after a minute.
"""

import asyncio
import time
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.errors import UnsupportedMediaType
from core.http.answers.errors import error_response
from core.http.request.context import context_of, header_of

_NOT_ENCODED: Final = frozenset({b"", b"identity"})
LONGEST_PAUSE_S = 20.0
LONGEST_BODY_S = 60.0


class EncodedBody(UnsupportedMediaType):
    code = "http.encoded_body"


def allow_body(request: Request, limit: int) -> None:
    """Let this request's body have up to `limit` bytes. Call it before the body is read."""
    context_of(request.scope).body_limit = limit


def _is_encoded(scope: Scope) -> bool:
    return any(
        name == b"content-encoding" and not set(value.lower().replace(b" ", b"").split(b",")) <= _NOT_ENCODED
        for name, value in scope["headers"]
    )


def _message(limit: int) -> str:
    return f"Request body is larger than {limit} bytes"


class BodyLimit:
    def __init__(self, app: ASGIApp, *, limit: int) -> None:
        self.app = app
        self.limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        length = header_of(scope, b"content-length")
        if length is None and header_of(scope, b"transfer-encoding") is None:
            await self.app(scope, receive, send)
            return
        if _is_encoded(scope):
            refused = EncodedBody("Content-Encoding must be identity: send the body as it is")
            response = error_response(scope, refused)
            response.headers["Accept-Encoding"] = "identity"  # RFC 9110, 15.5.16
            await response(scope, receive, send)
            return
        limited = _Limited(scope, receive, send, self.limit, int(length) if length else None)
        await self.app(scope, limited.receive, limited.send)


class _Limited:
    """One request with a body. It raises HTTPException: the framework lets no other exception pass."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, limit: int, declared: int | None) -> None:
        self.scope = scope
        self.server_receive = receive
        self.server_send = send
        self.context = context_of(scope)
        self.default = limit
        self.declared = declared
        self.received = 0
        self.complete = False
        self.begun_at = time.monotonic()

    @property
    def limit(self) -> int:
        allowed = self.context.body_limit
        return self.default if allowed is None else allowed

    async def receive(self) -> Message:
        if self.declared is not None and self.declared > self.limit:
            raise HTTPException(413, _message(self.limit))
        message = await self._next()
        if message["type"] == "http.request":
            self.received += len(message.get("body", b""))
        self.complete = not message.get("more_body", False)
        if self.received > self.limit:
            raise HTTPException(413, _message(self.limit))
        return message

    async def _next(self) -> Message:
        if self.complete:  # what comes now tells that the client has gone, however long that takes
            return await self.server_receive()
        patience = LONGEST_PAUSE_S
        if self.context.body_limit is None:
            patience = min(patience, self.begun_at + LONGEST_BODY_S - time.monotonic())
        try:
            async with asyncio.timeout(patience):
                return await self.server_receive()
        except TimeoutError:
            raise HTTPException(408, "The request body took too long to arrive") from None

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] in (408, 413):
            self.context.headers.append((b"connection", b"close"))
        await self.server_send(message)
