"""Idempotency keys: a POST with the same `Idempotency-Key` is answered again instead of carried out again.

The promise, and why it holds, are in `core.idempotency`. This layer is inside the compression, so responses
are stored uncompressed, and outside the body's limit, which the routes still set for themselves.
"""

import asyncio
import hashlib
import re
from typing import Final

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.database.transaction import committing_with
from core.errors import FieldError, HandoverError, Invalid
from core.http.answers.errors import error_response
from core.http.request.context import context_of, header_of
from core.http.request.multipart import FORM_OVERHEAD_BYTES, FormDigest, NotAForm
from core.idempotency import Answer, Claim, KeyHeld

HEADER: Final = "Idempotency-Key"
REPLAYED: Final = "Idempotency-Replayed"
LONGEST_KEY: Final = 255

_NAME: Final = HEADER.lower().encode()
_KEY: Final = re.compile(rb"[\x21-\x7e]{1,%d}" % LONGEST_KEY)
_KEPT_HEADERS: Final = frozenset({b"content-type", b"etag", b"location"})
_UNREAD_BYTES: Final = 1024 * 1024
_UNREAD_S: Final = 5.0


class Idempotency:
    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        key = header_of(scope, _NAME) if scope["type"] == "http" and scope["method"] == "POST" else None
        platform = context_of(scope).platform if key is not None else None
        if key is None or platform is None:
            await self.app(scope, receive, send)
            return
        body = _Body(scope, receive)
        try:
            if not _KEY.fullmatch(key):
                wrong = FieldError(HEADER, f"must have 1 to {LONGEST_KEY} visible ASCII characters")
                raise Invalid("Validation failed", details=[wrong])
            claim = Claim(platform.db, _identity(scope, key))
            held = await claim.take()
            if held is not None and held.answer is not None:
                if not await body.is_the_same(held.body_hash, held.body_bytes):
                    raise KeyHeld(f"This {HEADER} was used for another request")
                await _response(held.answer)(scope, receive, send)
                return
        except HandoverError as error:
            await error_response(scope, error)(scope, receive, send)
            return
        answering = _Answering(claim, body, send)
        try:
            with committing_with(claim.mark):
                await self.app(scope, body.receive, answering.send)
        except Exception:
            await claim.give_up(changed_nothing=False)
            raise
        finally:
            claim.end()


def _identity(scope: Scope, key: bytes) -> str:
    """Identity of a key: digest of its holder, the route and the key. Lengths keep the joined parts apart."""
    principal = context_of(scope).principal
    holder = b"" if principal is None else principal.name.encode()
    label = header_of(scope, b"x-user-id") or b""
    path: str = scope["path"]
    route = path.encode("utf-8", "surrogatepass")
    parts = (holder, label, route, scope.get("query_string", b""), key)
    return hashlib.sha256(b"".join(b"%d:%b" % (len(part), part) for part in parts)).hexdigest()


def _response(answer: Answer) -> Response:
    response = Response(answer.body, answer.status)
    for name, value in answer.headers:
        response.headers[name] = value
    response.headers[REPLAYED] = "true"
    return response


def _is_secret(start: Message) -> bool:
    """True for a response with `no-store`: it is not stored here either, so a repetition is refused."""
    return any(name == b"cache-control" and b"no-store" in value for name, value in start.get("headers", ()))


class _Body:
    """Request body on its way to the route, hashed as it passes. Of a form the parts are hashed: clients that
    send a form again choose another boundary.
    """

    def __init__(self, scope: Scope, receive: Receive) -> None:
        content_type = header_of(scope, b"content-type") or b""
        self._server_receive = receive
        self._received = 0
        self._whole = False
        self._hash: FormDigest | _PlainDigest
        try:
            self._hash = FormDigest(content_type)
        except NotAForm:
            self._hash = _PlainDigest(content_type)

    async def receive(self) -> Message:
        message = await self._server_receive()
        if message["type"] == "http.request":
            data = message.get("body", b"")
            self._hash.update(data)
            self._received += len(data)
            self._whole = not message.get("more_body", False)
        else:
            self._whole = True
        return message

    async def is_the_same(self, body_hash: str, size: int) -> bool:
        """True if the body equals the stored one. Reads little more of it than the other one had."""
        while not self._whole and self._received <= size + FORM_OVERHEAD_BYTES:
            await self.receive()
        return self._whole and self.size == size and self.digest() == body_hash

    async def read_rest(self) -> None:
        """Read the rest that the route did not read; at most 1 MiB and 5 seconds."""
        try:
            async with asyncio.timeout(_UNREAD_S):
                unread = self._received + _UNREAD_BYTES
                while not self._whole and self._received < unread:
                    await self.receive()
        except (TimeoutError, HTTPException):
            self._whole = True

    @property
    def size(self) -> int:
        return self._hash.size

    def digest(self) -> str:
        return self._hash.hexdigest()


class _PlainDigest:
    def __init__(self, content_type: bytes) -> None:
        self.size = 0
        self._hash = hashlib.sha256(content_type.partition(b";")[0].strip(b" \t").lower() + b"\0")

    def update(self, data: bytes) -> None:
        self._hash.update(data)
        self.size += len(data)

    def hexdigest(self) -> str:
        return self._hash.hexdigest()


class _Answering:
    """Response being sent: stored before it is sent; without one to store the key is released."""

    def __init__(self, claim: Claim, body: _Body, send: Send) -> None:
        self._claim = claim
        self._body = body
        self._server_send = send
        self._start: Message | None = None
        self._content: list[bytes] = []

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] >= 400:
            await self._claim.give_up(changed_nothing=message["status"] < 500)
        elif message["type"] == "http.response.start":
            self._start = message
            return
        elif message["type"] == "http.response.body" and self._start is not None:
            self._content.append(message.get("body", b""))
            if message.get("more_body"):
                return
            message = await self._kept(self._start)
        await self._server_send(message)

    async def _kept(self, start: Message) -> Message:
        """Store the whole response, then begin to send it; returns the message that is left to send."""
        body = b"".join(self._content)
        self._start, self._content = None, []
        await self._body.read_rest()
        headers = tuple(
            (name.decode("latin-1"), value.decode("latin-1"))
            for name, value in start.get("headers", ())
            if name in _KEPT_HEADERS
        )
        if _is_secret(start):
            await self._claim.give_up(changed_nothing=False)
        else:
            answer = Answer(start["status"], headers, body)
            await self._claim.store(answer, body_hash=self._body.digest(), body_bytes=self._body.size)
        await self._server_send(start)
        return {"type": "http.response.body", "body": body}
