"""CSV as QuestDB's `/exp` writes it: texts and times quoted, numbers and booleans bare, null as nothing."""

import json
import re
from collections.abc import Iterable
from typing import Final

_BARE: Final = frozenset(
    [
        "port",
        "response_time_ms",
        "estimated_hours",
        "actual_hours",
        "size",
        "size_bytes",
        "is_public",
        "download_count",
    ]
)
_SAFE: Final = re.compile(r'[^",\r\n]+')


def header(columns: Iterable[str]) -> bytes:
    return line((name, name) for name in columns)


def line(cells: Iterable[tuple[str, object]]) -> bytes:
    """Line of (column, value)."""
    return f"{','.join(_cell(name, value) for name, value in cells)}\r\n".encode(errors="backslashreplace")


def _cell(name: str, value: object) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    bare = not isinstance(value, str | list | dict) or (name in _BARE and name != value)
    return text if bare and _SAFE.fullmatch(text) else f'"{text.replace(chr(34), chr(34) * 2)}"'
