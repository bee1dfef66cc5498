"""gzip where the client takes it: whole answers above a size, streams chunk by chunk, event streams never.

An answer whose `Cache-Control` says `no-transform` is left as it is: a download, whose ranges and tag belong
to the stored bytes.
"""

from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.middleware.gzip import GZipMiddleware, GZipResponder, IdentityResponder
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.http.context import header_of

# Level 6 costs a third of level 9 and saves nearly as much.
LEVEL: Final = 6


class Compression(GZipMiddleware):
    """Adds Vary where gzip is or would have been used. Small answers pass with one look at their size."""

    def __init__(self, app: ASGIApp, *, minimum_size: int) -> None:
        super().__init__(app, minimum_size, LEVEL)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        through: Send | None = None

        async def choose(message: Message) -> None:
            nonlocal through
            if message["type"] == "http.response.start":
                through = (
                    send if self._is_left(message) else self._responder(scope, send).send_with_compression
                )
            await (through or send)(message)

        await self.app(scope, receive, choose)

    def _is_left(self, start: Message) -> bool:
        return any(
            (name == b"content-length" and int(value) < self.minimum_size)
            or (name == b"cache-control" and b"no-transform" in value)
            for name, value in start["headers"]
        )

    def _responder(self, scope: Scope, send: Send) -> IdentityResponder:
        excluded = self.exclude_content_types
        responder: IdentityResponder
        if takes_gzip(header_of(scope, b"accept-encoding")):
            responder = _Gzip(
                self.app,
                self.minimum_size,
                self.compresslevel,
                thread_minimum_size=self.thread_minimum_size,
                exclude_content_types=excluded,
            )
        else:
            responder = IdentityResponder(self.app, self.minimum_size, exclude_content_types=excluded)
        responder.send = send
        return responder


class _Gzip(GZipResponder):
    """Other bytes under the same strong ETag would be a lie, so the tag becomes weak."""

    weakened = False

    async def apply_compression(self, body: bytes, *, more_body: bool) -> bytes:
        if not self.weakened:
            self.weakened = True
            headers = MutableHeaders(raw=self.initial_message["headers"])
            tag = headers.get("etag")
            if tag is not None and not tag.startswith("W/"):
                headers["etag"] = f"W/{tag}"
        return await super().apply_compression(body, more_body=more_body)


def takes_gzip(accepted: bytes | None) -> bool:
    if accepted is None or b"gzip" not in accepted:
        return False
    if b"q=" not in accepted:
        return True
    for entry in accepted.lower().replace(b" ", b"").split(b","):
        coding, _, quality = entry.partition(b";q=")
        if coding == b"gzip":
            return quality.strip(b"0.") != b"" or quality == b""
    return False
