"""Two versions of a text, with the words in which they differ marked."""

import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import Final, NamedTuple

_WORD: Final = re.compile(r"\s+|\w+|.", re.DOTALL)
_MOST: Final = 3000
"""Words of both, beyond which lines are compared: the time grows with their product."""
_AROUND: Final = 80
"""Letters that are kept at each end of a long stretch that is the same in both."""
_LONGEST: Final = 4000
"""Letters of a piece that is shown."""


class Piece(NamedTuple):
    text: str
    differs: bool


def marked(one: str, other: str) -> tuple[list[Piece], list[Piece]]:
    """Pieces of both texts."""
    first, second = _WORD.findall(one), _WORD.findall(other)
    if len(first) + len(second) > _MOST:
        first, second = one.splitlines(keepends=True), other.splitlines(keepends=True)
    if len(first) + len(second) > _MOST:
        return _whole(one, other)
    found: tuple[list[Piece], list[Piece]] = ([], [])
    for kind, a, b, c, d in SequenceMatcher(None, first, second, autojunk=False).get_opcodes():
        for pieces, words in zip(found, (first[a:b], second[c:d]), strict=True):
            if words:
                pieces.append(_piece(words, kind != "equal"))
    return found


def _whole(one: str, other: str) -> tuple[list[Piece], list[Piece]]:
    return [_piece([one], differs=True)], [_piece([other], differs=True)]


def _piece(words: Sequence[str], differs: bool) -> Piece:
    text = "".join(words)
    if not differs and len(text) > 3 * _AROUND:
        return Piece(f"{text[:_AROUND]} … {text[-_AROUND:]}", differs=False)
    return Piece(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…", differs)
