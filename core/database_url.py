"""Validation of `DATABASE_URL`: a connection URI as libpq reads it, with one host and few parameters."""

import re
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

SSL_MODES: Final = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
FILES: Final = ("sslrootcert", "sslcert", "sslkey")
PARAMETERS: Final = ("host", "sslmode", *FILES)
_RAW: Final = (
    "has a character in its user name or password that has a meaning in URLs; "
    "write @ as %40, : as %3A, / as %2F, ? as %3F, # as %23 and % as %25"
)

_SEVERAL: Final = "names several hosts, which is not supported; name one, or a proxy that finds the primary"


def check_database_url(value: str) -> str:
    """The URL. Raises ValueError with its fault, which repeats nothing that may be part of a password."""
    if value.partition("://")[0] not in {"postgres", "postgresql"}:
        raise ValueError("must start with postgresql://")
    parts = _split(value)
    if not parts.path.strip("/"):
        raise ValueError("must name a database, as in postgresql://user:password@host:5432/database")
    _check_parameters(parse_qs(parts.query, keep_blank_values=True))
    return value


def place_of(url: str) -> str:
    """Host, port and database of a URL, without user name and password."""
    parts = urlsplit(url)
    place = parts.netloc.rpartition("@")[2] or parse_qs(parts.query).get("host", [""])[0]
    return f"{place}{parts.path}"


def _split(value: str) -> SplitResult:
    after = value.partition("://")[2]
    account, at, _ = after.rpartition("@")
    if at and re.search(r"[@/?#]|:.*:|%(?![0-9A-Fa-f]{2})", account):
        raise ValueError(_RAW)
    if "," in re.split("[/?]", after.rpartition("@")[2])[0]:
        raise ValueError(_SEVERAL)
    try:
        parts = urlsplit(value)
        _ = parts.port
        unquote(value, errors="strict")
    except ValueError:
        raise ValueError("is not a valid URL") from None
    return parts


def _check_parameters(given: dict[str, list[str]]) -> None:
    for name, values in given.items():
        if name not in PARAMETERS:
            raise ValueError(
                f"has the parameter {name}, which is not supported ({', '.join(PARAMETERS)} are)"
            )
        if len(values) > 1 or not values[0]:
            raise ValueError(f"must give the parameter {name} one value")
        if "," in values[0] and name == "host":
            raise ValueError(_SEVERAL)
    [mode] = given.get("sslmode", ["disable"])
    if mode not in SSL_MODES:
        raise ValueError(f"has an sslmode that does not exist; it is one of {', '.join(SSL_MODES)}")
    if mode == "verify-ca" and given.get("sslrootcert", ["system"]) == ["system"]:
        raise ValueError("must name the authority's certificate with sslrootcert for sslmode=verify-ca")
    if mode == "disable" and any(name in given for name in FILES):
        raise ValueError("has certificates but no sslmode that uses them, such as sslmode=verify-full")
    for name in FILES:
        for path in given.get(name, []):
            if not (name == "sslrootcert" and path == "system") and not _is_readable(path):
                raise ValueError(f"names a file with {name} that cannot be read")


def _is_readable(path: str) -> bool:
    try:
        with Path(path).open("rb"):
            return True
    except OSError:
        return False
