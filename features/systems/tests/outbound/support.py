"""Resolvers and connections that a test controls."""

import socket
import ssl
from collections.abc import Iterable
from typing import Any

import httpcore

from features.systems.outbound.fetch import Fetcher
from features.systems.outbound.targets import Permission
from tests.fixtures.sites import Site, http


class Names:
    """A resolver: each lookup of a name takes the next of its answers, and the last one for ever."""

    def __init__(self, **answers: list[list[str]]) -> None:
        self.answers = {name.replace("_", "."): list(found) for name, found in answers.items()}
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> list[str]:
        self.asked.append(host)
        found = self.answers.get(host)
        if found is None:
            raise socket.gaierror
        return found.pop(0) if len(found) > 1 else found[0]


class Connector(httpcore.AsyncNetworkBackend):
    """Connects to nothing: every stream answers with 200. Notes where it was sent and under which name TLS
    began.
    """

    def __init__(self, *, closed: Iterable[str] = ()) -> None:
        self.closed = set(closed)
        self.addresses: list[tuple[str, int]] = []
        self.tls: list[tuple[str | None, ssl.SSLContext]] = []

    async def connect_tcp(
        self, host: str, port: int, *rest: Any, **named: Any
    ) -> httpcore.AsyncNetworkStream:
        self.addresses.append((host, port))
        if host in self.closed:
            raise httpcore.ConnectError
        return _Stream(self)


class _Stream(httpcore.AsyncMockStream):
    def __init__(self, connector: Connector) -> None:
        super().__init__([http(200)])
        self.connector = connector

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.AsyncNetworkStream:
        self.connector.tls.append((server_hostname, ssl_context))
        return self


def fetcher(*sites: Site, allow: Iterable[str] = (), **options: Any) -> Fetcher:
    """May fetch from these sites only."""
    return Fetcher(Permission.parse([*(site.address for site in sites), *allow]), **options)


class Counting(httpcore.AsyncNetworkBackend):
    """Counts what is read from real connections."""

    def __init__(self) -> None:
        self.read = 0

    async def connect_tcp(self, *given: Any, **named: Any) -> httpcore.AsyncNetworkStream:
        stream = await httpcore.AnyIOBackend().connect_tcp(*given, **named)
        read = stream.read

        async def counted(max_bytes: int, timeout: float | None = None) -> bytes:
            data = await read(max_bytes, timeout)
            self.read += len(data)
            return data

        stream.read = counted  # type: ignore[method-assign]
        return stream
