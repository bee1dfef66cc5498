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
from core.http.request.context import RequestContext, context_of

_NOT_ENCODED: Final = frozenset({b"", b"identity"})
LONGEST_PAUSE_S = 20.0
LONGEST_BODY_S = 60.0


def allow_body(request: Request, limit: int) -> None:
    """Let this request's body have up to `limit` bytes. Call it before the body is read."""
    context_of(request.scope).body_limit = limit


class BodyLimit:
    """Layer of the limits."""

    def __init__(self, app: ASGIApp, *, limit: int) -> None:
        self.app = app
        self.limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        context: RequestContext = scope["state"]["context"]
        if b"content-length" in context.headers or b"transfer-encoding" in context.headers:
            codings = context.headers.get(b"content-encoding", b"").lower().replace(b" ", b"").split(b",")
            if not _NOT_ENCODED.issuperset(codings):
                context.response_headers.append((b"accept-encoding", b"identity"))  # RFC 9110, 15.5.16
                message = "Content-Encoding must be identity: send the body as it is"
                raise UnsupportedMediaType(message, code="http.encoded_body")
            receive = _limited(receive, context, self.limit)
        await self.app(scope, receive, send)


def _too_large(limit: int) -> HTTPException:
    return HTTPException(413, f"Request body is larger than {limit} bytes")


def _limited(server_receive: Receive, context: RequestContext, default: int) -> Receive:
    """`receive` within the limits. Raises HTTPException: the framework lets no other exception pass."""
    declared = int(context.headers.get(b"content-length") or 0)
    received, complete, begun_at = 0, False, time.monotonic()

    async def receive() -> Message:
        nonlocal received, complete
        limit = default if context.body_limit is None else context.body_limit
        if declared > limit:
            raise _too_large(limit)
        if complete:  # what comes now tells that the client has gone, however long that takes
            return await server_receive()
        patience = LONGEST_PAUSE_S
        if context.body_limit is None:
            patience = min(patience, begun_at + LONGEST_BODY_S - time.monotonic())
        try:
            async with asyncio.timeout(patience):
                message = await server_receive()
        except TimeoutError:
            raise HTTPException(408, "The request body took too long to arrive") from None
        received += len(message.get("body", b""))
        complete = not message.get("more_body", False)
        if received > limit:
            raise _too_large(limit)
        return message

    return receive
