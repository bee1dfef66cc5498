"""Reader of an old row's columns: each value is taken as it is, adapted, or a fault.

Nothing is lost: a value that becomes another one, or none, stays in the row's `legacy` JSON in the source's
own words. Only what a row cannot be without is a fault, and so is text that PostgreSQL cannot hold.
"""

import json
import sys
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from core.http.request.fields import fault_of, from_iso, to_iso

LARGEST_INTEGER: Final = 2**31 - 1
LONGEST_TEXT: Final = 1 << 20
_LARGEST: Final = sys.float_info.max
_DEEPEST: Final = 64
_TRUE: Final = frozenset({"true", "t", "1", "yes"})
_FALSE: Final = frozenset({"false", "f", "0", "no"})
_NO_NUMBER: Final = frozenset({"", "nan", "null"})


@dataclass(frozen=True, slots=True)
class Words:
    """Words of a column `here`, and what `old` ones become. Any other word becomes the `default`; without one
    it is none, or a fault where one is required. The `first` and the `later` schemas lack some words that are
    here: these are theirs for them, the nearest where there is none.
    """

    here: Collection[str]
    old: Mapping[str, str] = field(default_factory=dict)
    default: str | None = None
    first: Mapping[str, str] = field(default_factory=dict)
    later: Mapping[str, str] = field(default_factory=dict)


class Old:
    """Row of the source. Each column is asked for once; `legacy` returns what is left in the end."""

    def __init__(self, values: Mapping[str, object]) -> None:
        self.values = values
        self._asked: set[str] = set()
        self._original: dict[str, object] = {}
        self.translated: set[str] = set()
        self.adapted: set[str] = set()
        self.faults = [
            (column, fault)
            for column, value in values.items()
            if (fault := fault_of(column) or _fault_inside(value, _DEEPEST)) is not None
        ]

    def text(self, column: str, *, most: float = LONGEST_TEXT, required: bool = False) -> str | None:
        """Text as it is. An empty one that is not required is None."""
        value = self._take(column)
        if value is None:
            if required:
                self.fault(column, "is required")
            return None
        text = value if isinstance(value, str) else _as_text(value)
        if required and not text.strip():
            self.fault(column, "must not be empty")
        elif len(text) > most:
            if required:
                self.fault(column, f"must have at most {most} characters")
            self.adapt(column)
        elif text.strip():
            if text is not value and not isinstance(value, int):
                self.keep(column)
            return text
        else:
            self.keep(column)
        return None

    def word(self, column: str, words: Words, *, required: bool) -> str | None:
        value = self._take(column)
        if isinstance(value, str) and value in words.here:
            return value
        if isinstance(value, str) and value in words.old:
            self.translated.add(column)
            self.keep(column)
            return words.old[value]
        if required and words.default is None:
            known = ", ".join(dict.fromkeys((*words.here, *words.old)))
            self.fault(column, "is required" if value in (None, "") else f"must be one of {known}")
        elif value == "" and words.default is None:
            self.keep(column)
        elif value is not None or words.default is not None:
            self.adapt(column)
        return words.default

    def moment(self, column: str) -> str | None:
        """Moment in UTC with milliseconds; finer digits are cut, as everywhere, and kept in `legacy`."""
        value = self._take(column)
        if value is None or value == "":
            return None
        moment = as_moment(value)
        if moment is None:
            self.adapt(column)
            return None
        if moment.microsecond % 1000 or _finer_than_microseconds(value):
            self.keep(column)
        return to_iso(moment)

    def integer(self, column: str, *, least: float = 0, most: float = LARGEST_INTEGER) -> int | None:
        number = self.real(column, least=-_LARGEST)
        if number is None:
            return None
        whole = round(number)
        fits = least <= whole <= most
        if not fits or whole != number:
            self.adapt(column)
        return whole if fits else None

    def real(self, column: str, *, least: float = 0, most: float = _LARGEST) -> float | None:
        value = self._take(column)
        text = "" if value is None else str(value).strip().lower()
        if text in _NO_NUMBER:
            return None
        with suppress(ValueError):
            if least <= (number := float(text)) <= most:
                return number + 0.0
        self.adapt(column)
        return None

    def flag(self, column: str) -> bool:
        value = self._take(column)
        if isinstance(value, bool):
            return value
        word = str(value).strip().lower()
        if word in _TRUE or word in _FALSE:
            return word in _TRUE
        self.keep(column) if value in (None, "") else self.adapt(column)
        return False

    def texts(self, column: str) -> list[str]:
        """List of texts: given as JSON text, as a list, or with commas between them (`docs,portal`)."""
        value = self.values.get(column)
        if isinstance(value, str) and value != "" and not _is_json(value):
            self._asked.add(column)
            texts = [text for each in value.split(",") if (text := each.strip())]
            if ",".join(texts) != value:
                self.keep(column)
            return texts
        found = self._json(column)
        if found is None:
            return []
        if isinstance(found, list) and all(isinstance(each, str) for each in found):
            return found
        self.adapt(column)
        return []

    def members(self, column: str) -> dict[str, object] | None:
        found = self._json(column)
        if isinstance(found, dict) and _is_reordered(found):
            self.keep(column)
        if found is None or isinstance(found, dict):
            return found
        self.adapt(column)
        return None

    def keep(self, column: str) -> None:
        """Keep the source's value in `legacy` as it is."""
        self._original[column] = self.values.get(column)

    def adapt(self, column: str) -> None:
        """Keep the source's value in `legacy` because the new registry cannot hold it."""
        self.keep(column)
        self.adapted.add(column)

    def fault(self, column: str, message: str) -> None:
        self.faults.append((column, message))

    def legacy(self) -> str | None:
        """JSON of what the columns do not hold: `fields` that have no column, and `original` values."""
        values = self.values.items()
        fields = {name: value for name, value in values if name not in self._asked and value is not None}
        left = {name: value for name, value in (("fields", fields), ("original", self._original)) if value}
        return json.dumps(left, ensure_ascii=False, separators=(",", ":")) if left else None

    def _take(self, column: str) -> object:
        self._asked.add(column)
        return self.values.get(column)

    def _json(self, column: str) -> object:
        value = self._take(column)
        if value is None or isinstance(value, list | dict):
            return value
        if value == "":
            self.keep(column)
            return None
        try:
            found = json.loads(str(value))
        except (ValueError, RecursionError):
            self.adapt(column)
            return None
        if _fault_inside(found, _DEEPEST) is not None:
            self.adapt(column)
            return None
        # Any but the usual spellings (a number as 1.50, a duplicate key) has to be kept.
        plain = json.dumps(found, ensure_ascii=False, separators=(",", ":"))
        if value not in (plain, json.dumps(found, ensure_ascii=False), json.dumps(found)):
            self.keep(column)
        return found


def as_moment(value: object) -> datetime | None:
    """Moment of an ISO 8601 text, in UTC; None for anything else."""
    with suppress(ValueError, OverflowError):
        return from_iso(value.strip()) if isinstance(value, str) else None
    return None


def appended_at(values: Mapping[str, object]) -> datetime | None:
    """Time at which this version of a row was appended."""
    return as_moment(values.get("ts")) or as_moment(values.get("designated_timestamp"))


def _is_json(text: str) -> bool:
    """True for a JSON value other than a word or number, which could be a tag."""
    if text.strip()[:1] not in ("[", "{", '"', "n"):
        return False
    with suppress(ValueError, RecursionError):
        json.loads(text)
        return True
    return False


def _is_reordered(value: object) -> bool:
    """True if JSONB, which sorts keys by length, then by bytes, has them in another order."""
    keys = [(len(key), key) for key in map(str.encode, value)] if isinstance(value, dict) else []
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return keys != sorted(keys) or any(map(_is_reordered, parts))


def _finer_than_microseconds(value: object) -> bool:
    fraction = str(value).partition(".")[2]
    digits = fraction[: len(fraction) - len(fraction.lstrip("0123456789"))]
    return bool(digits[6:].strip("0"))


def _as_text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict | bool) else str(value)


def _fault_inside(value: object, depth: int) -> str | None:
    """Reason why PostgreSQL could not hold this value or something in it, or None."""
    if isinstance(value, str):
        return fault_of(value)
    if isinstance(value, int | float):
        return None if abs(value) <= _LARGEST else "is a number out of range"
    if not isinstance(value, list | dict) or not value:
        return None
    if depth == 0:
        return f"is nested deeper than {_DEEPEST} levels"
    parts = [*value, *value.values()] if isinstance(value, dict) else value
    return next((fault for part in parts if (fault := _fault_inside(part, depth - 1))), None)
