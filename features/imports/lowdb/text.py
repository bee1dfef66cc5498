"""JSON format of the old server: `JSON.stringify(data, null, 2)` of the whole file.

A record's own text is kept only where these functions would write something else.
"""

import json
import math
import re
from decimal import Decimal
from typing import Final

import orjson

from features.imports.lowdb.item import FIELDS as KEYS
from features.imports.lowdb.item import LegacyItem, to_milliseconds

EMPTY_HEAD: Final = '{\n  "items": ['
EMPTY_TAIL: Final = "]\n}"

_exponent = re.compile(r"e([+-]?)0*(\d+)$")
_bare = re.compile("\ufeff?[ \t\n\r]*\\[").match


def margin_of(head: str) -> str:
    """Indentation of the records in a file that begins so: less when the list is the whole file."""
    return "  " if _bare(head) else "    "


def lead_of(margin: str, *, first: bool) -> str:
    """Text before a record: a comma unless it is the first, a line break and the margin."""
    return f"\n{margin}" if first else f",\n{margin}"


def is_written_alike(item: LegacyItem, record: object, text: str, margin: str) -> bool:
    """True if `text` is what `written` makes of the item. False also when finding out would take long."""
    if item.legacy is not None or not isinstance(record, dict) or tuple(record) != KEYS:
        return False
    return _plain(record, margin) == text


def plain_records(text: str, margin: str) -> list[object] | None:
    """Records of `text`, a comma before each, if the old server would write exactly this text; None if it
    would not, or if that cannot be decided quickly.

    A round trip that gives the same text proves the absence of what JSON's grammar lets pass: duplicate keys,
    numbers that are none or too large, other ways to write a character.
    """
    bare = margin == margin_of("[")
    head, tail = ("[", "\n]") if bare else (EMPTY_HEAD, f"\n  {EMPTY_TAIL}")
    file = f"{head}{text[1:]}{tail}".encode()
    try:
        content = orjson.loads(file)
    except orjson.JSONDecodeError:
        return None
    if orjson.dumps(content, option=orjson.OPT_INDENT_2) != file:
        return None
    if bare:
        records: list[object] = content
    else:
        records, *others = content.values()
        if others:  # the list has ended in between
            return None
    return records


def written(item: LegacyItem, margin: str, source: str | None = None) -> str:
    """Text of the item as the old server would write it. Keys keep the order of `source`, its old text."""
    record = _record(item)
    if source is not None:
        order = [key for key in json.loads(source) if key in record]
        record = {**dict.fromkeys(order), **record}
    return _plain(record if item.legacy is None else _in_javascript(record), margin)


def _plain(record: object, margin: str) -> str:
    """Text of a record whose numbers are `_in_javascript`, if it has any."""
    return orjson.dumps(record, option=orjson.OPT_INDENT_2).decode().replace("\n", f"\n{margin}")


def _record(item: LegacyItem) -> dict[str, object]:
    """Record that `LegacyItem.parse` read, with the columns' newer values where they have changed."""
    values = (*item[:7], item.created_at, item.updated_at)
    record: dict[str, object] = dict(zip(KEYS, values, strict=True))
    if item.legacy is None:
        return record
    legacy = json.loads(item.legacy)
    for key, spelling in legacy.get("spelling", {}).items():
        if record[key] is not None and to_milliseconds(key, spelling) == record[key]:
            record[key] = spelling
    for key in legacy.get("absent", ()):
        if not record[key]:
            del record[key]
    record.update(legacy.get("fields", {}))
    return record


def _in_javascript(value: object) -> object:
    """Value whose numbers are written as JavaScript writes them."""
    if isinstance(value, dict):
        return {key: _in_javascript(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_in_javascript(each) for each in value]
    if isinstance(value, float):
        return orjson.Fragment(_number(value))
    # Longer whole numbers than orjson writes.
    return orjson.Fragment(str(value)) if type(value) is int else value


def _number(value: float) -> str:
    """Number as JavaScript writes it: no fraction for whole numbers, exponents from 1e21 and below 1e-6."""
    if value.is_integer() and math.fabs(value) < 1e21:
        return str(int(value))
    if 1e-6 <= math.fabs(value) < 1e-4:
        return format(Decimal(repr(value)), "f")
    return _exponent.sub(lambda found: f"e{found[1] or '+'}{found[2]}", repr(value))
