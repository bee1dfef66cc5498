"""Snippet: the passage of a document that shows why it was found, as HTML.

PostgreSQL's own `ts_headline` is not used: it compares words with one configuration at a time and as they are
written, so it would not mark "instalação" for somebody who typed "instalacao"; it escapes nothing. Instead
the database tells which of a document's words the query matches (`queries.matching_words`, by the very
functions that found the document), and those are marked here in the original text. Whatever the document
holds, every piece of it is escaped; `<mark>` is the only tag that leaves this module.
"""

import re
from collections.abc import Set as AbstractSet
from html import escape
from typing import Final, NamedTuple

from features.search.text.words import WORD

WIDTH: Final = 240
"""Length of a passage in characters."""

_LEAD: Final = 60
_SLACK: Final = 40
_MOST_SPOTS: Final = 2000
_SPACE: Final = re.compile(r"\s+")
_ELLIPSIS: Final = "…"


class _Spot(NamedTuple):
    start: int
    end: int
    word: str


def snippet(body: str, found: AbstractSet[str]) -> str:
    """Snippet of the body as HTML, its beginning if no word is in it. `found` has words in lower case."""
    spots = _spots(body, found)
    begin, end = _window(body, _densest(spots))
    pieces = [_ELLIPSIS] if body[:begin].strip() else []
    at = begin
    for spot in spots:
        if spot.end <= at or spot.start >= end:
            continue
        start, stop = max(spot.start, at), min(spot.end, end)
        pieces += [_html(body[at:start]), "<mark>", _html(body[start:stop]), "</mark>"]
        at = stop
    pieces.append(_html(body[at:end]))
    if body[end:].strip():
        pieces.append(_ELLIPSIS)
    return "".join(pieces).strip()


def _html(text: str) -> str:
    return escape(_SPACE.sub(" ", text), quote=True)


def _spots(body: str, found: AbstractSet[str]) -> list[_Spot]:
    spots: list[_Spot] = []
    if not found:
        return spots
    for match in WORD.finditer(body):
        word = match[0].lower()
        if word in found:
            spots.append(_Spot(match.start(), match.end(), word))
            if len(spots) == _MOST_SPOTS:
                break
    return spots


def _densest(spots: list[_Spot]) -> int:
    """Start of the passage with the most different words, then with the most words; 0 without any."""
    best, place, last = (0, 0), 0, 0
    for first, spot in enumerate(spots):
        last = max(last, first)
        while last < len(spots) and spots[last].end <= spot.start + WIDTH - _LEAD:
            last += 1
        within = spots[first:last] or [spot]
        weight = (len({each.word for each in within}), len(within))
        if weight > best:
            best, place = weight, spot.start
    return place


def _window(body: str, place: int) -> tuple[int, int]:
    """Start and end of about WIDTH characters around the place, at white space where there is some near."""
    begin = max(0, place - _LEAD)
    if begin:
        gap = re.compile(r"\s\S").search(body, begin, min(place + 1, begin + _SLACK))
        begin = gap.start() + 1 if gap else begin
    end = min(len(body), begin + WIDTH)
    if end < len(body) and not body[end].isspace():
        gaps = [match.start() for match in _SPACE.finditer(body, max(end - _SLACK, place + 1), end)]
        end = gaps[-1] if gaps else end
    return begin, end
