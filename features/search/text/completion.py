"""Completions of the last typed word, from the words of matching documents."""

from collections import Counter
from collections.abc import Iterable
from typing import Final

from features.search.text.words import WORD, fold

_LONGEST: Final = 50


def completions(q: str, passages: Iterable[str]) -> list[str]:
    """`q` with its last word completed, the most frequent word first; spelled as most documents spell it."""
    typed = list(WORD.finditer(q[:1000]))
    if not typed:
        return []
    before, beginning = q[: typed[-1].start()], fold(typed[-1][0])
    spellings: dict[str, Counter[str]] = {}
    for passage in passages:
        for word in WORD.findall(passage):
            folded = fold(word)
            if folded.startswith(beginning) and folded != beginning and len(word) <= _LONGEST:
                spellings.setdefault(folded, Counter())[word.lower()] += 1
    ranked = sorted(spellings.items(), key=lambda entry: (-entry[1].total(), entry[0]))
    return [before + max(spelling.items(), key=lambda each: (each[1], each[0]))[0] for _, spelling in ranked]
