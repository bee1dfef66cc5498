"""Words and their folded form, cut and compared as the database does (`handover_terms`, `handover_fold`)."""

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

# The characters that `handover_terms` turns into spaces, and white space.
_BETWEEN: Final = (
    r"\s\x00-/:-@\[-`{-\u00a9\u00ab-\u00b9\u00bb-\u00bf\u00d7\u00f7\u2000-\u206f\u2190-\u2bff\u3000-\u303f"
    r"\ufe00-\ufe0f\ufeff\U0001f000-\U0001faff"
)
WORD: Final = re.compile(f"[^{_BETWEEN}]+")
_MARKS: Final = re.compile("[\u0300-\u036f]")
# Stemming changes endings: a word and a form of it have their first two letters in common.
_COMMON: Final = 2
_LONGEST: Final = 100


def fold(text: str) -> str:
    """Text in lower case, without accents."""
    if text.isascii():
        return text.lower()
    return _MARKS.sub("", unicodedata.normalize("NFD", text.lower()))


def candidates(q: str, texts: Iterable[str]) -> list[str]:
    """Distinct words of the texts, in lower case, that could be a form of a word of `q`."""
    beginnings = tuple({fold(word)[:_COMMON] for word in WORD.findall(q[:1000])})
    words = {word.lower() for text in texts for word in WORD.findall(text) if len(word) <= _LONGEST}
    return sorted(word for word in words if fold(word).startswith(beginnings))
