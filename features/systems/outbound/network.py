"""A network backend of `httpcore` that connects only to permitted addresses.

A name is resolved once for each connection; what it resolved to is checked, and exactly that address is
connected to: a name that answers differently a moment later leads nowhere. The request and the TLS session
still carry the name, so virtual hosts and certificates work as ever.
"""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Final

import httpcore
import structlog
from httpcore import AsyncNetworkBackend, AsyncNetworkStream

from features.systems.outbound.targets import Address, Permission, parse_address

MAX_ADDRESSES: Final = 4
"""Upper bound of a name's addresses that are tried."""

SocketOption = tuple[int, int, int] | tuple[int, int, bytes | bytearray] | tuple[int, int, None, int]
Resolve = Callable[[str, int], Awaitable[list[str]]]

log = structlog.get_logger("handover.outbound")


class NotReachable(Exception):
    """There is no connection: the name does not resolve, nothing listens there, or it may not be connected
    to.

    One error for all of them, so that a user cannot tell them apart.
    """


class ReadLimit(Exception):
    """More bytes came than may be read."""


@dataclass(slots=True)
class Budget:
    """Bytes that may still be read in one fetch."""

    left: int


async def resolve(host: str, port: int) -> list[str]:
    """Addresses of a name, as texts, in the order in which they should be tried. Raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))


class GuardedNetwork(AsyncNetworkBackend):
    """The backend of one fetch. `connector` makes the real connections; tests give another one."""

    def __init__(
        self,
        permission: Permission,
        budget: Budget,
        *,
        resolve: Resolve = resolve,
        connector: AsyncNetworkBackend | None = None,
    ) -> None:
        self._permission = permission
        self._budget = budget
        self._resolve = resolve
        self._connector = connector or httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[SocketOption] | None = None,
    ) -> AsyncNetworkStream:
        addresses = await self._permitted(host, port)
        for number, address in enumerate(addresses):
            share = None if timeout is None else timeout / (len(addresses) - number)
            try:
                stream = await self._connector.connect_tcp(
                    str(address), port, share, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
            return _Metered(stream, self._budget)
        raise NotReachable

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,
        socket_options: Iterable[SocketOption] | None = None,
    ) -> AsyncNetworkStream:
        raise NotReachable

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def _permitted(self, host: str, port: int) -> list[Address]:
        try:
            addresses = [parse_address(text) for text in await self._resolve(host, port)]
        except (OSError, UnicodeError):
            raise NotReachable from None
        permitted = [each for each in addresses if self._permission.covers(host, port, each)]
        if not permitted:
            log.info("outbound.refused", host=host, port=port, addresses=[str(each) for each in addresses])
            raise NotReachable
        return permitted[:MAX_ADDRESSES]


class _Metered(AsyncNetworkStream):
    """A stream that reads no more than the budget allows; what is counted is what TLS has decrypted."""

    def __init__(self, inner: AsyncNetworkStream, budget: Budget) -> None:
        self._inner = inner
        self._budget = budget

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        if self._budget.left <= 0:
            raise ReadLimit
        data = await self._inner.read(min(max_bytes, self._budget.left), timeout)
        self._budget.left -= len(data)
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        await self._inner.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> AsyncNetworkStream:
        inner = await self._inner.start_tls(ssl_context, server_hostname, timeout)
        return _Metered(inner, self._budget)

    def get_extra_info(self, info: str) -> object:
        return self._inner.get_extra_info(info)
