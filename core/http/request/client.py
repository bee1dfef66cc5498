"""Client address: that of the peer, or the one that trusted proxies forward.

`X-Forwarded-For` counts only when the peer is in TRUSTED_PROXIES, and only as far as trusted proxies wrote
it: the right-most entry that is not itself a trusted proxy. Anything further left is the client's word.
"""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

from starlette.types import Scope

Address = IPv4Address | IPv6Address


@lru_cache(maxsize=4096)
def parse_address(text: str) -> Address | None:
    """Address in a text, also with a port (`1.2.3.4:80`, `[::1]:80`); None for anything else."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return address.ipv4_mapped or address if isinstance(address, IPv6Address) else address


class ClientResolver:
    """Resolver of client addresses. `trusted_proxies`: addresses, networks, `unix` for a socket's peer."""

    def __init__(self, trusted_proxies: Sequence[str]) -> None:
        self._unix = "unix" in trusted_proxies
        self._networks = [ip_network(entry, strict=False) for entry in trusted_proxies if entry != "unix"]

    def resolve(self, scope: Scope) -> str:
        client = scope.get("client")
        peer: str = client[0] if client and client[0] else "unix"
        if (self._networks or self._unix) and self._trusts(peer):
            return self._forwarded(scope) or peer
        return peer

    def _trusts(self, text: str) -> bool:
        if text == "unix":
            return self._unix
        address = parse_address(text)
        return address is not None and any(address in network for network in self._networks)

    def _forwarded(self, scope: Scope) -> str | None:
        values = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
        found: str | None = None
        for entry in reversed(b",".join(values).decode("latin-1").split(",")):
            address = parse_address(entry)
            if address is None:
                break
            found = str(address)
            if not self._trusts(found):
                break
        return found


@lru_cache(maxsize=4096)
def limit_key(client: str) -> str:
    """Key of a client's rate limit: its address, of IPv6 the /64 network, which one subscriber owns."""
    address = parse_address(client)
    if isinstance(address, IPv6Address):
        return str(IPv6Network((address, 64), strict=False))
    return client
