"""Preferences of a client, as `Accept` and `Accept-Encoding` list them (RFC 9110, 12.4.2)."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

_WEIGHT: Final = re.compile(rb"q[ \t]*=[ \t]*(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)")


def weights(header: bytes) -> Mapping[bytes, float]:
    """Weights of what is listed, by names in lower case; 0 for what has another parameter or a malformed
    weight.
    """
    found: dict[bytes, float] = {}
    for entry in header.lower().split(b","):
        name, *parameters = [part.strip(b" \t") for part in entry.split(b";")]
        weight = _WEIGHT.fullmatch(parameters[0]) if parameters else None
        found[name] = float(weight[1]) if weight is not None else float(not parameters)
    return found


@lru_cache(maxsize=128)
def takes_gzip(accepted: bytes) -> bool:
    """True when an `Accept-Encoding` (RFC 9110, 12.5.3) has gzip and does not prefer plain bytes to it."""
    given = weights(accepted)
    named = [given[name] for name in (b"gzip", b"x-gzip") if name in given]
    weight = min(named, default=given.get(b"*", 0.0))
    return weight > 0 and weight >= given.get(b"identity", 0.0)
