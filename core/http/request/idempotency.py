"""Idempotency keys: a POST with the same `Idempotency-Key` is answered again instead of carried out again.

The promise, and why it holds, are in `core.idempotency`. This layer is inside the body's limit, and stores
responses before they are compressed.
"""

import asyncio
import hashlib
import math
import re
from contextlib import suppress
from typing import Final

from python_multipart.multipart import parse_options_header
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.database.transaction import committing_with
from core.errors import FieldError, InvalidFields
from core.http.request.context import RequestContext
from core.http.request.multipart import FORM_OVERHEAD_BYTES
from core.idempotency import Answer, Claim, KeyHeld

HEADER: Final = "Idempotency-Key"
REPLAYED: Final = "Idempotency-Replayed"
LONGEST_KEY: Final = 255

_NAME: Final = HEADER.lower().encode()
_KEY: Final = re.compile(rb"[\x21-\x7e]{1,%d}" % LONGEST_KEY)
_KEPT_HEADERS: Final = (b"content-type", b"etag", b"location")
_UNREAD_BYTES: Final = 1024 * 1024
_UNREAD_S: Final = 5.0


class Idempotency:
    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        context: RequestContext = scope["state"]["context"]
        key = context.headers.get(_NAME) if context.method == "POST" else None
        if key is None or context.platform is None:
            await self.app(scope, receive, send)
            return
        if not _KEY.fullmatch(key):
            fault = f"must have 1 to {LONGEST_KEY} visible ASCII characters"
            raise InvalidFields([FieldError(HEADER, fault)])
        if sum(name == _NAME for name, _ in scope["headers"]) > 1:
            raise InvalidFields([FieldError(HEADER, "is given more than once; give it once")])
        claim, body = Claim(context.platform.db, _identity(scope, context, key)), _Body(context, receive)
        if (answer := await claim.take()) is not None:
            context.body_limit = answer.request_bytes + FORM_OVERHEAD_BYTES
            if not await body.is_whole() or body.hash.hexdigest() != answer.request_hash:
                raise KeyHeld(f"This {HEADER} was used for another request")
            response = Response(answer.body, answer.status, {**dict(answer.headers), REPLAYED: "true"})
            await response(scope, receive, send)
            return
        try:
            with committing_with(claim.mark):
                await self.app(scope, body.receive, _stored(claim, body, send))
        except Exception:  # raised again
            await claim.give_up(changed_nothing=False)
            raise
        finally:
            claim.end()


def _identity(scope: Scope, context: RequestContext, key: bytes) -> str:
    """Identity of a key: digest of its holder, the route and the key. Lengths keep the joined parts apart."""
    parts = (
        b"" if context.principal is None else context.principal.name.encode(),
        context.headers.get(b"x-user-id", b""),
        scope["path"].encode("utf-8", "surrogatepass"),
        scope.get("query_string", b""),
        key,
    )
    return hashlib.sha256(b"".join(b"%d:%b" % (len(part), part) for part in parts)).hexdigest()


class _Body:
    """Request body on its way to the route, hashed as it passes, with its media type. Of a form the parts are
    hashed, so it is the same under whatever boundary they are sent. `size` counts the bytes that have passed.
    """

    def __init__(self, context: RequestContext, receive: Receive) -> None:
        kind, options = parse_options_header(context.headers.get(b"content-type", b""))
        self.size = 0
        self._server_receive = receive
        self._whole = False
        self.hash, self._part = hashlib.sha256(kind + b"\0"), hashlib.sha256()
        self._delimiter: bytes | None = None
        if kind == b"multipart/form-data" and b"boundary" in options:
            self._delimiter = b"\r\n--" + options[b"boundary"]
        self._held = b"\r\n"
        """Last bytes of a form, which may be the beginning of a delimiter."""
        self._in_preamble = True

    async def receive(self) -> Message:
        message = await self._server_receive()
        data = message.get("body", b"")
        self.size += len(data)
        self._whole = not message.get("more_body", False)
        if self._delimiter is None:
            self.hash.update(data)
        else:
            self._hash_form(data, self._delimiter)
        return message

    def _hash_form(self, data: bytes, delimiter: bytes) -> None:
        *ended, rest = (self._held + data).split(delimiter)
        for end in ended:
            self._part.update(end)
            if not self._in_preamble:  # which means nothing, as what follows the parts (RFC 2046, 5.1.1)
                self.hash.update(self._part.digest())
            self._in_preamble, self._part = False, hashlib.sha256()
        sure = max(len(rest) - len(delimiter) + 1, 0)
        self._part.update(rest[:sure])
        self._held = rest[sure:]

    async def is_whole(self, most: float = math.inf) -> bool:
        """True when the body is read to its end, within its limits and with at most so many bytes more."""
        most += self.size
        with suppress(HTTPException):
            while not self._whole and self.size < most:
                await self.receive()
        return self._whole


def _stored(claim: Claim, body: _Body, server_send: Send) -> Send:
    """`send` of a response that is stored before it is sent; without one to store the key is released."""
    start: Message | None = None
    content: list[bytes] = []

    async def send(message: Message) -> None:
        nonlocal start
        if message["type"] == "http.response.start":
            if message["status"] < 400:
                start = message
                return
            await claim.give_up(changed_nothing=message["status"] < 500)
        elif message["type"] == "http.response.body" and start is not None:
            content.append(message.get("body", b""))
            if message.get("more_body"):
                return
            begun, start = start, None
            message = {"type": "http.response.body", "body": b"".join(content)}
            # What the route did not read.
            with suppress(TimeoutError):
                async with asyncio.timeout(_UNREAD_S):
                    await body.is_whole(_UNREAD_BYTES)
            await _store(claim, begun, message["body"], body)
            await server_send(begun)
        await server_send(message)

    return send


async def _store(claim: Claim, start: Message, body: bytes, request: _Body) -> None:
    """Store a response. One with `no-store` is not stored here either, so a repetition is refused."""
    headers: dict[bytes, bytes] = dict(start.get("headers", ()))
    if b"no-store" in headers.get(b"cache-control", b""):
        await claim.give_up(changed_nothing=False)
        return
    kept = ((name.decode(), headers[name].decode("latin-1")) for name in _KEPT_HEADERS if name in headers)
    await claim.store(Answer(start["status"], tuple(kept), body, request.hash.hexdigest(), request.size))
