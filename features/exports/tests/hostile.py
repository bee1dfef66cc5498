"""LowDB files that no LowDB ever wrote: any white space, spelling, order and shape that JSON allows."""

import json

from hypothesis import strategies as st

from features.exports.tests.factories import record

Draw = st.DrawFn

_spaces = st.sampled_from(["", "", " ", "\n", "\n    ", "\t", "\r\n  ", "  \n\n"])
_letters = st.text(
    st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), min_size=0, max_size=12
)
_numbers = st.sampled_from(
    [
        "0",
        "-0",
        "1.0",
        "1e3",
        "1E+3",
        "0.10",
        "-2.50e-7",
        "1e-7",
        "123456789012345678901234567890",
        "1e21",
        "3",
    ]
)


class Number(str):
    """A number as the file spells it."""


def _values(depth: int = 2) -> st.SearchStrategy[object]:
    simple = st.one_of(st.none(), st.booleans(), _letters, _numbers.map(Number))
    if depth == 0:
        return simple
    below = _values(depth - 1)
    return st.one_of(simple, st.lists(below, max_size=3), st.dictionaries(_letters, below, max_size=3))


@st.composite
def _string(draw: Draw, text: str) -> str:
    """Escaped more or less than it has to be."""
    how = draw(st.sampled_from(["plain", "ascii", "slash"]))
    # Half a pair of surrogates cannot be written in any other way than escaped.
    dumped = json.dumps(text, ensure_ascii=how == "ascii" or "\ud800" in text)
    return dumped.replace("/", "\\/") if how == "slash" else dumped


@st.composite
def json_text(draw: Draw, value: object) -> str:
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, str):
        return draw(_string(value))
    if isinstance(value, list):
        return draw(_joined("[", [draw(json_text(each)) for each in value], "]"))
    if isinstance(value, dict):
        members = [
            draw(_string(key)) + draw(_spaces) + ":" + draw(_spaces) + draw(json_text(each))
            for key, each in value.items()
        ]
        return draw(_joined("{", members, "}"))
    return json.dumps(value)


@st.composite
def _joined(draw: Draw, opening: str, parts: list[str], closing: str) -> str:
    text = opening + draw(_spaces)
    for number, part in enumerate(parts):
        text += (draw(_spaces) + "," + draw(_spaces) if number else "") + part
    return text + draw(_spaces) + closing


@st.composite
def _record(draw: Draw, number: int) -> object:
    whole = record(number)
    if draw(st.booleans()):
        whole |= {
            f"x{key}": value for key, value in draw(st.dictionaries(_letters, _values(), max_size=3)).items()
        }
    for name in ("tags", "updatedAt"):
        if draw(st.integers(0, 3)) == 0:
            del whole[name]
    kind = draw(st.integers(0, 9))
    if kind == 0:
        whole["createdAt"] = draw(
            st.sampled_from(["2025-10-23", "2025-10-23T22:45:24Z", "2025-10-23T22:45:24.9404+02:00"])
        )
    elif kind == 1:
        whole["title"] = ""
    elif kind == 2:
        return draw(st.sampled_from([Number("1.50"), None, "text", [], {}, {"id": "\0 \ud800"}]))
    elif kind == 3:
        whole["id"] = "the same"
    return dict(draw(st.permutations(list(whole.items())))) if draw(st.booleans()) else whole


@st.composite
def lowdb_files(draw: Draw) -> bytes:
    count = draw(st.integers(0, 5))
    written = [draw(json_text(draw(_record(number)))) for number in range(count)]
    text = draw(_joined("[", written, "]"))
    if draw(st.integers(0, 3)):
        others = draw(st.dictionaries(_letters.map("k{}".format), _values(), max_size=3))
        members = [
            json.dumps(key) + draw(_spaces) + ":" + draw(json_text(value)) for key, value in others.items()
        ]
        members.insert(
            draw(st.integers(0, len(members))), f'"{draw(st.sampled_from(["items", "ideas"]))}": {text}'
        )
        text = draw(_joined("{", members, "}"))
    mark = "\ufeff" if draw(st.integers(0, 5)) == 0 else ""
    return (mark + draw(_spaces) * (not mark) + text + draw(_spaces)).encode("utf-8")
