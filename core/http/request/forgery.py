"""Protection of a service without keys from web pages: request forgery and DNS rebinding.

Whoever reaches a service with AUTH=off may do everything, and so could any page in a browser that reaches it.
A page of another site is recognised by `Sec-Fetch-Site` or else by `Origin`; browsers set both, and programs
send neither. A page that has made its own name lead to this address is recognised by the `Host`, which is
then that name.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from ipaddress import ip_address
from typing import Final

from starlette.types import Scope

from core.errors import Forbidden, Misdirected
from core.http.request.context import PROBES, RequestContext
from core.settings import Settings

_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_OWN_SITE: Final = frozenset({b"same-origin", b"none"})


class HostRefused(Misdirected):
    code = "http.host_refused"


class CrossSite(Forbidden):
    code = "http.cross_site"


class ForgeryProtection:
    """Check that refuses a foreign `Host` (421), and a page of another site that would change something
    (403). Probes are answered whatever the `Host`: load balancers ask by address.
    """

    def __init__(self, settings: Settings) -> None:
        self._without_keys = settings.auth == "off"
        self._checks_host = bool(settings.allowed_hosts) or (self._without_keys and not settings.allow_open)
        self._origins = frozenset(origin.rstrip("/").lower() for origin in settings.cors_origins)
        allowed = frozenset(host.lower() for host in settings.allowed_hosts)
        self._serves = lru_cache(1024)(lambda host: _serves(host, allowed))

    async def check(self, scope: Scope, context: RequestContext) -> None:
        """Raises HostRefused and CrossSite."""
        host = context.headers.get(b"host")
        if self._checks_host and host and scope["path"] not in PROBES and not self._serves(host):
            raise HostRefused("This server is not called so; ALLOWED_HOSTS lists its names")
        if self._without_keys and context.method not in _SAFE and self._is_cross_site(context.headers, host):
            raise CrossSite("A page of another site asks for this change; CORS_ORIGINS lists those that may")

    def _is_cross_site(self, headers: Mapping[bytes, bytes], host: bytes | None) -> bool:
        site, origin = headers.get(b"sec-fetch-site"), headers.get(b"origin")
        if site in _OWN_SITE or (site is None and origin is None):
            return False
        if origin is not None and ("*" in self._origins or origin.decode("latin-1").lower() in self._origins):
            return False
        # The scheme is not compared: a proxy may have taken TLS off.
        return site is not None or origin is None or origin.partition(b"://")[2] != host


def _serves(host: bytes, allowed: Iterable[str]) -> bool:
    """True for a `Host`, with or without a port, that is of this machine alone or one of the allowed."""
    text = host.decode("latin-1").lower()
    name = text[1:].partition("]")[0] if text.startswith("[") else text.partition(":")[0]
    name = name.rstrip(".")
    if name in allowed or text in allowed or name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False
