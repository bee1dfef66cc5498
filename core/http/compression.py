"""gzip where the client takes it: whole answers above a size, streams chunk by chunk, event streams never.

An answer whose `Cache-Control` says `no-transform` is left as it is: a download, whose ranges and tag belong
to the stored bytes.
"""

import re
from functools import lru_cache
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.middleware.gzip import GZipMiddleware, GZipResponder, IdentityResponder
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.http.context import list_of

# Level 6 costs a third of level 9 and saves nearly as much.
LEVEL: Final = 6
_GZIP: Final = frozenset({b"gzip", b"x-gzip"})
_WEIGHT: Final = re.compile(rb"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?")


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
        if takes_gzip(list_of(scope, b"accept-encoding")):
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


@lru_cache(maxsize=128)
def takes_gzip(accepted: bytes | None) -> bool:
    """Whether an `Accept-Encoding` (RFC 9110, 12.5.3) has gzip and does not prefer plain bytes to it. What
    is malformed is not accepted.
    """
    weights: dict[bytes, float] = {}
    for entry in (accepted or b"").lower().split(b","):
        coding, *parameters = [part.strip(b" \t") for part in entry.split(b";")]
        name = b"gzip" if coding in _GZIP else coding
        weights[name] = min(_weight(parameters), weights.get(name, 1.0))
    weight = weights.get(b"gzip", weights.get(b"*", 0.0))
    return weight > 0 and weight >= weights.get(b"identity", 0.0)


def _weight(parameters: list[bytes]) -> float:
    if not parameters:
        return 1.0
    name, _, value = parameters[0].partition(b"=")
    value = value.lstrip(b" \t")
    return float(value) if name.rstrip(b" \t") == b"q" and _WEIGHT.fullmatch(value) else 0.0
