"""JSON as text, looked into and laid out without reading its numbers: none of their digits is lost."""

import json
import re
from typing import Final, NoReturn

_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s"{}\[\],:]+', re.DOTALL)
_OPENING: Final = frozenset("{[")
_CLOSING: Final = frozenset("}]")


def member(text: str, name: str, depth: int) -> str:
    """Text of the value that the first member of this name has; members of the outermost object are at
    depth 1. Raises KeyError.
    """
    key, level, before = json.dumps(name), 0, ""
    start: int | None = None
    for token in _TOKEN.finditer(text):
        level -= token[0] in _CLOSING
        if start is not None and (level < depth or (level == depth and token[0] == ",")):
            return text[start : token.start()]
        if start is None and level == depth and token[0] == ":" and before == key:
            start = token.end()
        level += token[0] in _OPENING
        before = token[0]
    raise KeyError(name)


def indented(text: str) -> str:
    """The same tokens, a member or element a line."""
    parts: list[str] = []
    level, before = 0, ""
    for token in _TOKEN.findall(text):
        level -= token in _CLOSING
        is_empty = token in _CLOSING and before in _OPENING
        if before == "," or (not is_empty and (token in _CLOSING or before in _OPENING)):
            parts.append("\n" + level * "  ")
        parts.append(f"{token} " if token == ":" else token)
        level += token in _OPENING
        before = token
    return "".join(parts)


def is_json(text: str) -> bool:
    try:
        json.loads(text, parse_int=str, parse_float=str, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return False
    return True


def _refuse(word: str) -> NoReturn:
    raise ValueError(word)
