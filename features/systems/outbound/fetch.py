"""One GET with its redirects: every hop is checked anew, and all of it has one limit of time and of bytes.

FetchError         there is no answer; its text can be shown to the user
├── Unreachable    no connection, or a forbidden one; which of them is not told
├── TimedOut       no complete answer within the limit of time
└── Broken         the server does not answer as it should
"""

import asyncio
import ssl
import time
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
    def __init__(self) -> None:
        super().__init__("Cannot be reached, or is at an address that may not be fetched")


class TimedOut(FetchError):
    def __init__(self, seconds: float) -> None:
        super().__init__(f"Did not answer within {seconds:g} seconds")


class Broken(FetchError):
    pass


@dataclass(frozen=True, slots=True)
class Answer:
    """Last answer, after the redirects. `seconds` is the time of all hops."""

    status: int
    seconds: float


@lru_cache(maxsize=1)
def _trusted() -> ssl.SSLContext:
    """TLS context, made once because reading the certificates takes a while; SSL_CERT_FILE and SSL_CERT_DIR
    may name others.
    """
    return httpx.create_ssl_context()


class Fetcher:
    """A client for single GETs, without proxy, cookies or passwords; it reads nothing of the environment."""

    def __init__(
        self,
        permission: Permission,
        *,
        timeout_s: float | None = None,
        resolve: Resolve | None = None,
        connector: AsyncNetworkBackend | None = None,
    ) -> None:
        self._permission = permission
        self._timeout_s = TIMEOUT_S if timeout_s is None else timeout_s
        self._resolve = resolve
        self._connector = connector

    async def get(self, address: str) -> Answer:
        """Fetch the URL. Raises FetchError. At most 64 KB are read; a longer answer counts as complete."""
        started = time.perf_counter()
        try:
            async with asyncio.timeout(self._timeout_s):
                status = await self._follow(address)
        except TimeoutError:
            raise TimedOut(self._timeout_s) from None
        return Answer(status, time.perf_counter() - started)

    async def _follow(self, address: str) -> int:
        budget = Budget(MAX_BYTES)
        url = _fetchable(address)
        for _ in range(MAX_REDIRECTS + 1):
            status, location = await self._request(url, budget)
            if location is None:
                return status
            url = _fetchable(location, url)
        raise Broken(f"Redirects more than {MAX_REDIRECTS} times")

    async def _request(self, url: httpx.URL, budget: Budget) -> tuple[int, str | None]:
        """The status, and where it redirects to."""
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
                    "GET",
                    httpcore.URL(
                        scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
                    ),
                    headers=[(b"Host", url.netloc), *_HEADERS],
                    extensions={"timeout": timeouts},
                ) as response,
            ):
                location = _header(response, b"location")
                if response.status in _REDIRECTS and location is not None:
                    return response.status, location
                await _read(response)
                return response.status, None
        except NotReachable:
            raise Unreachable from None
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
