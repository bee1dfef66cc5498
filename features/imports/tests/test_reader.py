"""Reading LowDB files: every accepted form, and the exact byte at which others stop being one."""

import hashlib
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.imports.errors import SourceMalformed
from features.imports.lowdb.reader import LowDbReader
from features.imports.tests.factories import FIVE, lowdb

WINDOWS = [1, 2, 3, 7, 64, 1 << 20]


def read(content: bytes, chunk_bytes: int = 1 << 20) -> tuple[list[object], LowDbReader]:
    reader = LowDbReader(io.BytesIO(content), chunk_bytes=chunk_bytes)
    return [record.value for record in reader], reader


def failure(content: bytes, chunk_bytes: int = 1 << 20) -> SourceMalformed:
    with pytest.raises(SourceMalformed) as caught:
        read(content, chunk_bytes)
    return caught.value


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize(
    ("content", "list_name"),
    [
        (lowdb(list(FIVE)), "items"),
        (b"\xef\xbb\xbf" + lowdb(list(FIVE)), "items"),
        (lowdb(list(FIVE), name="ideas"), "ideas"),
        (json.dumps(FIVE).encode(), ""),
        (b" \r\n\t" + json.dumps(FIVE, ensure_ascii=False).encode() + b" \n\n", ""),
    ],
    ids=["items", "byte order mark", "ideas", "bare array", "white space around"],
)
def test_every_accepted_form_gives_the_same_records(content: bytes, list_name: str, window: int) -> None:
    records, reader = read(content, window)
    assert records == list(FIVE)
    assert reader.list_name == list_name
    assert reader.sha256 == hashlib.sha256(content).hexdigest()
    assert reader.bytes_read == len(content)


@pytest.mark.parametrize("window", WINDOWS)
def test_other_top_level_keys_are_stepped_over_and_named(window: int) -> None:
    content = b'{"version": 1.5e3, "users": [{"a": [1, {"b": []}]}, [], {}], "items": [{"x": 1}], "meta": {}}'
    records, reader = read(content, window)
    assert records == [{"x": 1}]
    assert reader.ignored == ["version", "users", "meta"]


def test_an_empty_list_is_a_list() -> None:
    assert read(b'{"items": []}')[0] == read(b"[ ]")[0] == []


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize(
    ("content", "problem", "offset", "path"),
    [
        (b"", "The file is empty", 0, None),
        (b"  \n", "The file is empty", 3, None),
        (b"\xef\xbb\xbf", "The file is empty", 3, None),
        (b'"items"', "Neither a JSON object nor an array", 0, None),
        (b"\xef\xbb\xbf 12", "Neither a JSON object nor an array", 4, None),
        (b"{}", 'no "items" list', 2, None),
        (b'{"data": []}', 'no "items" list', 12, None),
        (b'{"items": {}}', '"items" is not a list', 10, "items"),
        (b'{"items": null}', '"items" is not a list', 10, "items"),
        (b'{"items": [], "ideas": []}', 'Both "items" and "ideas"', 14, None),
        (b'{"ideas": [1], "items": []}', 'Both "ideas" and "items"', 15, None),
        (b'{"items": [], "items": []}', '"items" is present twice', 14, None),
        (b'{"items": [{"a": 1}]}]}]}', "Data after the end", 21, None),
        (b"[1][2]", "Data after the end", 3, None),
        (b'[{"a": 1}', "ends in the middle of the list", 9, "[0]"),
        (b'[{"a": 1},', "ends where a value is expected", 10, "[1]"),
        (b'{"items": [{"a": 1}, {"a": ', "ends too early", 27, "items[1]"),
        (b'{"items": [{"a": 1}, {"a": "abc', "ends too early", 27, "items[1]"),
        (b'{"items": [{"a": 1} {"a": 2}]}', "Expected ',' or ']'", 20, "items[0]"),
        (b'{"items": [{"a": 1}, {"a": 2, "b" 3}]}', "Expecting ':' delimiter", 34, "items[1]"),
        (b'{"items": [{"a": 1}, ]}', "Expecting value", 21, "items[1]"),
        (b'{"items": [{"a": 1}, {"a": "x\ny"}]}', "Invalid control character", 29, "items[1]"),
        ('{"items": [{"é": "ã🎉"}, {"é": x}]}'.encode(), "Expecting value", 36, "items[1]"),
        (b'{"items": [{"a": 1}, {"a": "\xff"}]}', "not UTF-8", 28, None),
        (b"\xff\xfe{\x00}\x00", "not UTF-8", 0, None),
        (b'{"a": 1, items: []}', "Expected a key in double quotes", 9, None),
        (b'{"a" 1}', "Expected ':'", 5, "a"),
        (b'{"a": 1 "items": []}', "Expected ',' or '}'", 8, None),
        (b'{"items": [1], "a": [1 2]}', "Expected ',' or ']'", 23, "a"),
        (b'{"items": [1], "a": {"b": 1, c}}', "Expected a key in double quotes", 29, "a"),
        (b'{"items": [1]', "Expected ',' or '}'", 13, None),
    ],
)
def test_what_is_not_whole_fails_with_the_byte_and_the_path(
    content: bytes, problem: str, offset: int, path: str | None, window: int
) -> None:
    error = failure(content, window)
    assert problem in error.problem
    assert error.offset == offset
    if b"\xff" not in content:  # how much of the file was read when bad bytes come depends on the window
        assert error.path == path
    assert f"byte {offset}" in error.message


def test_two_writers_in_one_file_are_found() -> None:
    whole = lowdb(list(FIVE))
    middle = whole.index(b"Terceira") + 4
    error = failure(whole[:middle] + whole)
    assert "Invalid control character" in error.problem
    assert error.path == "items[2]"
    assert error.offset == middle + 1


def test_every_truncation_fails_and_none_is_half_read() -> None:
    whole = lowdb([FIVE[1], FIVE[2]])
    for length in range(len(whole)):
        error = failure(whole[:length], 64)
        assert error.offset <= length


def test_a_value_nested_too_deeply_is_refused() -> None:
    assert "nested too deeply" in failure(b"[" * 200_000).problem


def test_a_longer_value_than_fits_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("features.imports.lowdb.reader.LARGEST_VALUE", 1000)
    error = failure(b'[{"a": "' + b"x" * 5000 + b'"}]', 100)
    assert "longer than" in error.problem
    assert error.path == "[0]"


@pytest.mark.parametrize(
    ("text", "flaw"),
    [
        ('{"a": 1, "a": 2}', '"a" is present twice'),
        ('{"a": {"b": 1, "c": 2, "b": 3}}', '"b" is present twice'),
        ('{"a": NaN}', "NaN is not a JSON number"),
        ('{"a": [-Infinity]}', "-Infinity is not a JSON number"),
        ('{"a": 1e999}', "1e999 is too large"),
        ('{"a": -1e999}', "-1e999 is too large"),
        (f'{{"a": {"9" * 5000}}}', "too many digits"),
    ],
)
@pytest.mark.parametrize("window", WINDOWS)
def test_what_cannot_be_trusted_is_a_flaw_of_its_record_alone(text: str, flaw: str, window: int) -> None:
    content = f'[{{"id": 0}}, {text}, {{"id": 2}}]'.encode()
    first, second, third = LowDbReader(io.BytesIO(content), chunk_bytes=window)
    assert first.flaws == third.flaws == ()
    [only] = second.flaws
    assert flaw in only


def test_the_source_text_of_a_record_is_what_the_file_has() -> None:
    reader = LowDbReader(io.BytesIO('[ {"a":  1.0} , {"é": "\\u0000"}]'.encode()), chunk_bytes=3)
    assert [reader.source_text() for _ in reader] == ['{"a":  1.0}', '{"é": "\\u0000"}']


_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.slow
@given(values=st.lists(_values, max_size=6), window=st.integers(1, 40), ascii_only=st.booleans())
def test_reads_what_json_reads_whatever_the_window(
    values: list[object], window: int, ascii_only: bool
) -> None:
    content = json.dumps({"items": values}, ensure_ascii=ascii_only).encode("utf-8", "replace")
    assert read(content, window)[0] == json.loads(content)["items"]


@pytest.mark.slow
@given(values=st.lists(_values, max_size=3), window=st.integers(1, 40), data=st.data())
def test_agrees_with_json_on_what_is_malformed(
    values: list[object], window: int, data: st.DataObject
) -> None:
    content = bytearray(json.dumps({"items": values}).encode())
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] = data.draw(st.sampled_from(b'{}[]",:x0'))
    try:
        document = json.loads(bytes(content))
        expected = document["items"] if isinstance(document, dict) else None
    except (ValueError, KeyError):
        expected = None
    if not isinstance(expected, list):
        failure(bytes(content), window)
    else:
        assert read(bytes(content), window)[0] == expected
