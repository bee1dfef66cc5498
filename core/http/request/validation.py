"""Validation errors in plain words: those of pydantic become `tags.0: must be a string`."""

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from core.errors import ABSENT, FieldError

MAX_DETAILS: Final = 100
MAX_VALUE: Final = 100
_MANY_DIGITS: Final = re.compile(r"\d{16}")
_PLACES: Final = frozenset({"body", "query", "path", "header", "cookie"})
Context = Mapping[str, Any]


def _plain(bound: object) -> object:
    """The bound as people write it: 10000, not 10000.0."""
    return int(bound) if isinstance(bound, float) and bound.is_integer() else bound


def _length(bound: str, words: str) -> Callable[[Context, object], str]:
    def say(context: Context, value: object) -> str:
        count = context[bound]
        if count == 1 and bound == "min_length":
            return "must not be empty"
        unit = "character" if isinstance(value, str) else "entry" if count == 1 else "entrie"
        return f"must have {words} {count} {unit}{'' if count == 1 else 's'}"

    return say


def _value_error(context: Context, value: object) -> str:
    return str(context.get("error", "is not valid"))


_DATE_KIND: Final = re.compile("(date|time|datetime|timezone|time_delta)_.*")
_WHOLE: Final = "must be a whole number"
_MESSAGES: Final[dict[str, str | Callable[[Context, object], str]]] = {
    "missing": "is required",
    "string_type": "must be a string",
    "string_unicode": "must be valid Unicode text",
    "string_too_short": _length("min_length", "at least"),
    "string_too_long": _length("max_length", "at most"),
    "too_short": _length("min_length", "at least"),
    "too_long": _length("max_length", "at most"),
    "string_pattern_mismatch": lambda context, value: f"must match {context['pattern']}",
    "int_type": _WHOLE,
    "int_parsing": _WHOLE,
    "int_from_float": _WHOLE,
    "int_parsing_size": "is too large a number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "list_type": "must be a list",
    "dict_type": "must be an object",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "uuid_type": "must be a UUID",
    "uuid_parsing": "must be a UUID",
    "literal_error": lambda context, value: f"must be one of {context['expected']}",
    "enum": lambda context, value: f"must be one of {context['expected']}",
    "greater_than_equal": lambda context, value: f"must be at least {_plain(context['ge'])}",
    "greater_than": lambda context, value: f"must be more than {context['gt']}",
    "less_than_equal": lambda context, value: f"must be at most {_plain(context['le'])}",
    "less_than": lambda context, value: f"must be less than {context['lt']}",
    "union_tag_not_found": "is required",
    "union_tag_invalid": lambda context, value: f"must be one of {context['expected_tags']}",
    "extra_forbidden": "is not a known field; correct or remove it",
    "value_error": _value_error,
    "assertion_error": _value_error,
}


def safe_text(text: str) -> str:
    """Text that can be written as UTF-8: a lone surrogate becomes a question mark."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def field_errors(errors: Iterable[Mapping[str, Any]], most: int = MAX_DETAILS) -> list[FieldError]:
    """Errors of fields, each once, at most `most`: many wrong entries must not make a long response."""
    found: dict[tuple[str, str], FieldError] = {}
    for error in errors:
        if len(found) == most:
            break
        kind = error["type"]
        value = ABSENT if kind in ("missing", "json_invalid") else error.get("input", ABSENT)
        fault = FieldError(_path(error["loc"]), _message(kind, error, value), value)
        found.setdefault((fault.field, fault.message), fault)
    return list(found.values())


def shown(value: object) -> object:
    """Value fit for a response: short, and valid JSON. ABSENT when it cannot be shown."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _shorten(safe_text(value))
    if isinstance(value, int):
        return value if abs(value) < 2**53 else "a number with more than 15 digits"
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if not isinstance(value, list | dict):
        return ABSENT
    try:
        text = json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return ABSENT
    # A short container is shown as it is, when every string in it is plain ASCII and clients read its numbers
    # exactly.
    plain = len(text) <= MAX_VALUE and "\\u" not in text and not _MANY_DIGITS.search(text)
    return value if plain else _shorten(text)


def _shorten(text: str) -> str:
    return text if len(text) <= MAX_VALUE else text[: MAX_VALUE - 1] + "…"


def _path(location: Sequence[str | int]) -> str:
    parts = list(location) or ["body"]
    if len(parts) > 1 and parts[0] in _PLACES:
        parts = parts[1:]
    return safe_text(".".join(str(part) for part in parts))[:200]


def _message(kind: str, error: Mapping[str, Any], value: object) -> str:
    known = _MESSAGES.get(kind)
    if isinstance(known, str):
        return known
    if known is not None:
        return safe_text(known(error.get("ctx", {}), value))
    if _DATE_KIND.fullmatch(kind):
        return "must be an ISO 8601 timestamp"
    message = str(error["msg"])
    return safe_text(message.replace("Input should be", "must be").replace("Value error, ", ""))
