"""One GET with its redirects, or one POST: every hop is checked anew, and all of it has one limit of time and
of bytes.

FetchError         there is no answer; its text can be shown to the user
├── Unreachable    no connection, or a forbidden one; which of them is not told
├── TimedOut       no complete answer within the limit of time
└── Broken         the server does not answer as it should
"""

import asyncio
import ssl
import time
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import httpcore
import httpx
from httpcore import AsyncNetworkBackend

from features.systems.outbound import network
from features.systems.outbound.network import Budget, GuardedNetwork, NotReachable, ReadLimit, Resolve
from features.systems.outbound.targets import Permission
from features.systems.outbound.url import parse_url

TIMEOUT_S: Final = 10.0
MAX_BYTES: Final = 64 * 1024
MAX_REDIRECTS: Final = 5

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_HEADERS: Final = (
    (b"User-Agent", b"Handover"),
    (b"Accept", b"*/*"),
    (b"Accept-Encoding", b"identity"),
    (b"Connection", b"close"),
)


class FetchError(Exception):
    """There is no answer; the message is a sentence without anything internal."""


class Unreachable(FetchError):
    def __init__(self, setting: str) -> None:
        super().__init__(f"Cannot be reached, or at an internal address that {setting} must name")


class TimedOut(FetchError):
    def __init__(self, seconds: float) -> None:
        super().__init__(f"Did not answer within {seconds:g} seconds")


class Broken(FetchError):
    pass


@dataclass(frozen=True, slots=True)
class Answer:
    """Last answer, after the redirects. `seconds` is the time of all hops, `retry_after` the header."""

    status: int
    seconds: float
    retry_after: str | None = None


@dataclass(frozen=True, slots=True)
class _Hop:
    status: int
    location: str | None
    retry_after: str | None


@lru_cache(maxsize=1)
def _trusted() -> ssl.SSLContext:
    """TLS context, made once because reading the certificates takes a while; SSL_CERT_FILE and SSL_CERT_DIR
    may name others.
    """
    return httpx.create_ssl_context()


class Fetcher:
    """A client for single requests, without proxy, cookies or passwords, and without the environment. The
    `setting` is the one that the permission is from.
    """

    def __init__(
        self,
        permission: Permission,
        *,
        setting: str = "HEALTHCHECK_ALLOW",
        timeout_s: float | None = None,
        resolve: Resolve | None = None,
        connector: AsyncNetworkBackend | None = None,
    ) -> None:
        self._permission = permission
        self._setting = setting
        self._timeout_s = TIMEOUT_S if timeout_s is None else timeout_s
        self._resolve = resolve
        self._connector = connector

    async def get(self, address: str) -> Answer:
        """Fetch the URL. Raises FetchError. At most 64 KB are read; a longer answer counts as complete."""
        return await self._in_time(self._follow(address))

    async def post(self, address: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Send the body, once: a redirect is an answer like others. Reads, and raises, as `get` does."""
        sent = [(name.encode(), value.encode()) for name, value in headers.items()]
        sent.append((b"Content-Length", b"%d" % len(body)))
        return await self._in_time(self._request("POST", _fetchable(address), Budget(MAX_BYTES), sent, body))

    async def _in_time(self, work: Awaitable[_Hop]) -> Answer:
        started = time.perf_counter()
        try:
            async with asyncio.timeout(self._timeout_s):
                last = await work
        except TimeoutError:
            raise TimedOut(self._timeout_s) from None
        return Answer(last.status, time.perf_counter() - started, last.retry_after)

    async def _follow(self, address: str) -> _Hop:
        budget = Budget(MAX_BYTES)
        url = _fetchable(address)
        for _ in range(MAX_REDIRECTS + 1):
            hop = await self._request("GET", url, budget)
            if hop.status not in _REDIRECTS or hop.location is None:
                return hop
            url = _fetchable(hop.location, url)
        raise Broken(f"Redirects more than {MAX_REDIRECTS} times")

    async def _request(
        self,
        method: str,
        url: httpx.URL,
        budget: Budget,
        headers: Sequence[tuple[bytes, bytes]] = (),
        body: bytes | None = None,
    ) -> _Hop:
        guarded = GuardedNetwork(
            self._permission,
            budget,
            resolve=self._resolve or network.resolve,
            connector=self._connector,
        )
        tls = _trusted() if url.scheme == "https" else None
        timeouts = dict.fromkeys(("connect", "read", "write", "pool"), self._timeout_s)
        try:
            async with (
                httpcore.AsyncConnectionPool(ssl_context=tls, network_backend=guarded) as pool,
                pool.stream(
                    method,
                    httpcore.URL(
                        scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
                    ),
                    headers=[(b"Host", url.netloc), *_HEADERS, *headers],
                    content=body,
                    extensions={"timeout": timeouts},
                ) as response,
            ):
                hop = _Hop(response.status, _header(response, b"location"), _header(response, b"retry-after"))
                if hop.status not in _REDIRECTS or hop.location is None:
                    await _read(response)
                return hop
        except NotReachable:
            raise Unreachable(self._setting) from None
        except ReadLimit:
            raise Broken("Answers with too many headers") from None
        except httpcore.TimeoutException:
            raise TimedOut(self._timeout_s) from None
        except httpcore.ConnectError:
            raise Broken("Has no secure connection with a certificate that can be trusted") from None
        except (httpcore.NetworkError, httpcore.ProtocolError):
            raise Broken("Ends the connection without a complete HTTP answer") from None


async def _read(response: httpcore.Response) -> None:
    try:
        async for _ in response.aiter_stream():
            pass
    except ReadLimit:
        return


def _header(response: httpcore.Response, name: bytes) -> str | None:
    return next((value.decode("latin-1") for key, value in response.headers if key.lower() == name), None)


def _fetchable(address: str, base: httpx.URL | None = None) -> httpx.URL:
    try:
        return parse_url(address if base is None else str(base.join(address)))
    except (httpx.InvalidURL, ValueError):
        raise Broken("Redirects to what cannot be fetched" if base else "Has no URL to fetch") from None
