"""Admission: requests are refused before they cost anything, while draining and beyond the rate limit."""

from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from core.errors import RateLimited, Unavailable
from core.http.answers.errors import error_response
from core.http.request.context import PROBES, Header, context_of
from core.http.request.rate_limit import RateLimiter

_DRAINING_RETRY_S: Final = 2


class Draining(Unavailable):
    code = "http.draining"


class TooManyRequests(RateLimited):
    code = "http.rate_limited"


class Admission:
    """Layer of admission. `limiter` None: no limit and no RateLimit headers. Probes always pass."""

    def __init__(self, app: ASGIApp, *, limiter: RateLimiter | None) -> None:
        self.app = app
        self.limiter = limiter
        self.limit: Header = (b"ratelimit-limit", b"%d" % (limiter.capacity if limiter else 0))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        context = context_of(scope)
        platform = context.platform
        if platform is not None and platform.stopping:
            context.headers.append((b"connection", b"close"))
        if scope["path"] in PROBES:
            await self.app(scope, receive, send)
            return
        if platform is not None and platform.draining.is_set():
            closing = Draining("The server is shutting down", retry_after=_DRAINING_RETRY_S)
            await error_response(scope, closing)(scope, receive, send)
            return
        if self.limiter is not None:
            verdict = self.limiter.take_leased(context.client)
            if verdict is None:
                cache = platform.cache if platform is not None else None
                redis = cache.redis if cache is not None and cache.redis_available else None
                verdict = await self.limiter.take(context.client, redis)
            context.headers += (
                self.limit,
                (b"ratelimit-remaining", b"%d" % verdict.remaining),
                (b"ratelimit-reset", b"%d" % verdict.reset_s),
            )
            if not verdict.allowed:
                refused = TooManyRequests(
                    "Too many requests, please try again later", retry_after=verdict.retry_s
                )
                await error_response(scope, refused)(scope, receive, send)
                return
        await self.app(scope, receive, send)
