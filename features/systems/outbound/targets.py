"""The allow-list of addresses that a foreign URL may lead to.

Everything is refused that is not plainly part of the public internet, also when it is wrapped into an IPv6
address that some router would unwrap. `HEALTHCHECK_ALLOW` and `WEBHOOK_ALLOW` list what is allowed all the
same.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, Self

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_HOST_NAME: Final = re.compile(r"(?!.*\.\.)[a-z0-9_](?:[a-z0-9_.-]{0,251}[a-z0-9_])?")

_NOT_PUBLIC: Final[tuple[Network, ...]] = (
    # Protocol assignments, among them a cloud's metadata service; the relays of 6to4.
    IPv4Network("192.0.0.0/24"),
    IPv4Network("192.88.99.0/24"),
    # Public by its number, but answered by Azure's own machinery on the host.
    IPv4Network("168.63.129.16/32"),
    # Whatever is not assigned, special, documentation, unique local, link local, site local or multicast.
    IPv6Network("::/8"),
    IPv6Network("100::/8"),
    IPv6Network("2001::/23"),
    IPv6Network("2001:db8::/32"),
    IPv6Network("3fff::/20"),
    IPv6Network("5f00::/16"),
    IPv6Network("fc00::/7"),
    IPv6Network("fe00::/7"),
)
_NAT64: Final = IPv6Network("64:ff9b::/96")
# The interface identifiers of ISATAP (RFC 5214); an IPv4 address follows.
_ISATAP: Final = frozenset({0x00005EFE, 0x02005EFE})


def is_public(address: Address) -> bool:
    """True of an address that anybody on the internet could connect to as well."""
    if isinstance(address, IPv6Address):
        last = IPv4Address(int(address) & 0xFFFFFFFF)
        # Routers take the IPv4 address out of these, so it alone counts.
        inner = address.ipv4_mapped or address.sixtofour or (last if address in _NAT64 else None)
        if inner is not None:
            return is_public(inner)
        if int(address) >> 32 & 0xFFFFFFFF in _ISATAP and not is_public(last):
            return False
    special = address.is_multicast or address.is_reserved
    return address.is_global and not special and not any(address in network for network in _NOT_PUBLIC)


@dataclass(frozen=True, slots=True)
class Target:
    """Entry of the allow list: a network or a host name, with one port or (None) with all."""

    network: Network | None
    host: str | None
    port: int | None

    @classmethod
    def parse(cls, entry: str) -> Self:
        """Target of an entry: `10.0.0.0/8`, `192.0.2.7`, `::1`, `intranet.example`; all but a range of
        addresses also with a port: `192.0.2.7:8080`, `[::1]:8080`, `intranet.example:8080`. Raises
        ValueError.
        """
        try:
            return cls(ip_network(entry, strict=False), None, None)
        except ValueError:
            pass
        found = re.fullmatch(r"(?:\[([^\]]+)\]|([^:\[\]/]+))(?::(\d{1,5}))?", entry)
        if found is None:
            raise ValueError(f"{entry!r} is no host, address or network")
        port = None if found[3] is None else int(found[3])
        if port is not None and not 1 <= port <= 65535:
            raise ValueError(f"{entry!r} has no port between 1 and 65535")
        try:
            return cls(ip_network(found[1] or found[2]), None, port)
        except ValueError:
            host = (found[2] or "").lower().rstrip(".")
        # Names that end in a number are addresses that are written in another way.
        if not _HOST_NAME.fullmatch(host) or host.rpartition(".")[2].isdecimal():
            raise ValueError(f"{entry!r} is no host, address or network")
        return cls(None, host, port)

    def covers(self, host: str, port: int, address: Address) -> bool:
        if self.port is not None and self.port != port:
            return False
        if self.network is None:
            return self.host == host.lower().rstrip(".")
        return self.network.version == address.version and address in self.network


@dataclass(frozen=True, slots=True)
class Permission:
    """Permission for public and listed addresses. A listed host is allowed wherever its name leads."""

    listed: tuple[Target, ...] = ()

    @classmethod
    def parse(cls, entries: Iterable[str]) -> Self:
        """Permission of a list. Raises ValueError about the first invalid entry."""
        return cls(tuple(Target.parse(entry) for entry in entries))

    def covers(self, host: str, port: int, address: Address) -> bool:
        """True if the host of a URL may be reached at this address, which its name resolved to."""
        return is_public(address) or any(target.covers(host, port, address) for target in self.listed)


def parse_address(text: str) -> Address:
    """Address as a resolver gives it, without the zone of a link-local address. Raises ValueError."""
    return ip_address(text.partition("%")[0])
