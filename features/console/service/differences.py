"""Two versions of a text, with the words in which they differ marked."""

import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import Final, NamedTuple

_WORD: Final = re.compile(r"\s+|\w+|.", re.DOTALL)
_MOST: Final = 1500
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
    begin = _same(first, second)
    end = _same(first[begin:][::-1], second[begin:][::-1])
    before, after = first[:begin], first[len(first) - end :]
    first, second = _few(first[begin : len(first) - end], second[begin : len(second) - end])
    found: tuple[list[Piece], list[Piece]] = ([_piece(before, False)], [_piece(before, False)])
    for kind, a, b, c, d in SequenceMatcher(None, first, second, autojunk=False).get_opcodes():
        for pieces, words in zip(found, (first[a:b], second[c:d]), strict=True):
            pieces.append(_piece(words, kind != "equal"))
    for pieces in found:
        pieces.append(_piece(after, False))
    return [each for each in found[0] if each.text], [each for each in found[1] if each.text]


def _few(*texts: Sequence[str]) -> list[list[str]]:
    """The words of each, or its lines, or all of it as one: as many as can be compared."""
    for split in (_WORD.findall, lambda text: text.splitlines(keepends=True)):
        parts = [split("".join(words)) for words in texts]
        if sum(map(len, parts)) <= _MOST:
            return parts
    return [["".join(words)] for words in texts]


def _same(one: Sequence[str], other: Sequence[str]) -> int:
    """Number of words with which both begin."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (word, its) in pairs if word != its), min(len(one), len(other)))


def _piece(words: Sequence[str], differs: bool) -> Piece:
    text = "".join(words)
    if not differs and len(text) > 3 * _AROUND:
        return Piece(f"{text[:_AROUND]} … {text[-_AROUND:]}", differs=False)
    return Piece(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…", differs)
