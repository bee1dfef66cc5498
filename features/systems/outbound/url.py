"""URLs that may be fetched: `http` or `https`, with a host, without a name and password in them."""

from typing import Final

import httpx

SCHEMES: Final = frozenset({"http", "https"})


def parse_url(text: str) -> httpx.URL:
    """Parsed URL. Raises ValueError with its fault. The same parser is used for fetching, so both agree."""
    try:
        url = httpx.URL(text)
        port = url.port
    except (httpx.InvalidURL, ValueError):
        raise ValueError("must be a valid URL") from None
    if url.scheme not in SCHEMES:
        raise ValueError("must begin with http:// or https://")
    if not url.host:
        raise ValueError("must name a host")
    if url.userinfo:
        raise ValueError("must not contain a user name or password")
    if port is not None and not 1 <= port <= 65535:
        raise ValueError("must have a port between 1 and 65535")
    return url


def fault_of_url(text: str) -> str | None:
    """The reason why the URL cannot be fetched, None when it can."""
    try:
        parse_url(text)
    except ValueError as error:
        return str(error)
    return None
