"""JSON objects that clients send and PostgreSQL stores (`jsonb`), read back equal to what was sent."""

import math
from typing import Annotated, Final

from pydantic import AfterValidator, JsonValue
from pydantic_core import PydanticCustomError

from core.http.request.fields import fault_of

MAX_DEPTH: Final = 32
MAX_DIGITS: Final = 400
"""Upper bound of a whole number's digits; the largest `double`, as JavaScript may write it, has 309."""

_LARGEST: Final = 10**MAX_DIGITS


def _check(value: JsonValue, depth: int = MAX_DEPTH) -> None:
    fault: str | None = None
    if depth == 0:
        fault = f"must not be nested deeper than {MAX_DEPTH} levels"
    elif isinstance(value, str):
        fault = fault_of(value)
    elif isinstance(value, float) and not math.isfinite(value):
        fault = "must not contain NaN or infinite numbers"
    elif isinstance(value, int) and abs(value) >= _LARGEST:
        fault = f"must not contain whole numbers of more than {MAX_DIGITS} digits"
    if fault is not None:
        raise PydanticCustomError("json", "{fault}", {"fault": fault})
    if isinstance(value, dict):
        for key, inner in value.items():
            _check(key)
            _check(inner, depth - 1)
    elif isinstance(value, list):
        for inner in value:
            _check(inner, depth - 1)


def _checked(value: dict[str, JsonValue]) -> dict[str, JsonValue]:
    _check(value)
    return value


JsonObject = Annotated[dict[str, JsonValue], AfterValidator(_checked)]
"""JSON object whose texts and numbers PostgreSQL can store, and whose depth is bounded."""
