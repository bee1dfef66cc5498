"""Reads a LowDB file record by record in bounded memory, and says the byte where it stops being JSON.

One reader serves small and large files, so both give the same records, paths and errors. It slides a window
over the file and lets the standard library's C scanner decode one record at a time (more than 200,000 a
second). ijson was tried and left out: its C back end turns an unpaired surrogate into `?` without a word,
keeps only the last of two equal keys, names no byte offset, and gives up the whole file for one number that
is too large.
"""

import codecs
import hashlib
import json
import math
import re
from collections.abc import Iterator
from typing import BinaryIO, Final, NamedTuple

from features.imports.errors import SourceMalformed

CHUNK_BYTES: Final = 1 << 20
LARGEST_VALUE: Final = 16 << 20
"""Characters that one record may take; what is longer would not fit a batch."""
LIST_NAMES: Final = ("items", "ideas")
IGNORED_NAMES: Final = 20
"""How many other top-level keys are reported by name."""

_SCAN_MARGIN: Final = 16
"""An error this close to the end of the window may be a value cut in two (`tru|e`, `\\ud83d\\u|de00`)."""
_space = re.compile(r"[ \t\n\r]*").match
_comma_or_end = re.compile(r"[ \t\n\r]*([,\]])[ \t\n\r]*").match


class Record(NamedTuple):
    """One element of the list: its place from 0, its value, and what makes it doubtful whatever it says."""

    position: int
    value: object
    flaws: tuple[str, ...]


class LowDbReader:
    """Iterates over the records of a LowDB file once.

    After the last record `sha256` covers the whole file, `ignored` names the other top-level keys and
    `list_name` the list that was read ("" for a bare array). Raises `SourceMalformed` as soon as the file is
    not one whole JSON document of a known form.
    """

    def __init__(self, file: BinaryIO, *, chunk_bytes: int = CHUNK_BYTES) -> None:
        self._file = file
        self._chunk_bytes = chunk_bytes
        self._hash = hashlib.sha256()
        self._utf8 = codecs.getincrementaldecoder("utf-8")("strict")
        self._window = ""
        self._at = 0
        self._started_at = 0
        self._window_byte = 0
        self._exhausted = False
        self._path: str | None = None
        self._flaws: list[str] = []
        self._decode = json.JSONDecoder(
            object_pairs_hook=self._object,
            parse_int=self._int,
            parse_float=self._float,
            parse_constant=self._constant,
        ).raw_decode
        self.bytes_read = 0
        self.list_name: str | None = None
        self.ignored: list[str] = []

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()

    @property
    def consumed(self) -> int:
        """About how many bytes the records so far took."""
        return self._window_byte + self._at

    def path(self, position: int) -> str:
        """`items[12]`, or `[12]` when the file is a bare array."""
        return f"{self.list_name or ''}[{position}]"

    def source_text(self) -> str:
        """The newest record as the file has it; only until the next one is asked for."""
        return self._window[self._started_at : self._at]

    def __iter__(self) -> Iterator[Record]:
        self._skip_byte_order_mark()
        first = self._peek()
        if first == "":
            raise SourceMalformed("The file is empty", offset=self.bytes_read)
        if first == "[":
            self.list_name = ""
            yield from self._records()
        elif first == "{":
            yield from self._members()
        else:
            raise self._malformed("Neither a JSON object nor an array")
        self._path = None
        if self._peek() != "":
            raise self._malformed("Data after the end of the JSON document")

    def _members(self) -> Iterator[Record]:
        self._at += 1
        if self._peek() == "}":
            self._at += 1
            raise self._malformed('The object has no "items" list')
        while True:
            if self._peek() != '"':
                raise self._malformed("Expected a key in double quotes")
            offset = self._offset(self._at)
            name = str(self._value())
            self._path = name[:100]
            if self._peek() != ":":
                raise self._malformed("Expected ':' after a key")
            self._at += 1
            opening = self._peek()
            if name in LIST_NAMES:
                if self.list_name is not None:
                    problem = f'Both "{self.list_name}" and "{name}" are present; one list is expected'
                    if self.list_name == name:
                        problem = f'The key "{name}" is present twice'
                    raise SourceMalformed(problem, offset=offset)
                if opening != "[":
                    raise self._malformed(f'"{name}" is not a list')
                self.list_name = name
                yield from self._records()
            else:
                if len(self.ignored) < IGNORED_NAMES:
                    self.ignored.append(name[:100])
                self._skip(depth=0)
            self._path = None
            following = self._peek()
            if following not in (",", "}"):
                raise self._malformed("Expected ',' or '}'")
            self._at += 1
            if following == "}":
                break
        if self.list_name is None:
            raise self._malformed('The object has no "items" list')

    def _records(self) -> Iterator[Record]:
        position = 0
        self._at += 1
        if self._peek() == "]":
            self._at += 1
            return
        flaws = self._flaws
        while True:
            self._path = self.path(position)
            flaws.clear()
            value = self._value()
            yield Record(position, value, tuple(flaws) if flaws else ())
            position += 1
            if self._comma():
                return

    def _comma(self) -> bool:
        """Step over the comma and the white space around it; true at the end of the list."""
        while True:
            found = _comma_or_end(self._window, self._at)
            if found is not None and (found.end() < len(self._window) or self._exhausted):
                self._at = found.end()
                return found[1] == "]"
            if found is None and self._peek() not in ("", ",", "]"):
                raise self._malformed("Expected ',' or ']'")
            if not self._more() and found is None:
                raise self._malformed("The file ends in the middle of the list")

    def _skip(self, depth: int) -> None:
        """Step over a value of no interest, container by container, so that its size does not matter."""
        self._flaws.clear()
        opening = self._peek()
        if opening not in ("{", "[") or depth == 100:
            self._value()
            return
        closing = "}" if opening == "{" else "]"
        self._at += 1
        if self._peek() == closing:
            self._at += 1
            return
        while True:
            if opening == "{":
                if self._peek() != '"':
                    raise self._malformed("Expected a key in double quotes")
                self._value()
                if self._peek() != ":":
                    raise self._malformed("Expected ':' after a key")
                self._at += 1
            self._skip(depth + 1)
            following = self._peek()
            if following not in (",", closing):
                raise self._malformed(f"Expected ',' or '{closing}'")
            self._at += 1
            if following == closing:
                return

    def _value(self) -> object:
        """Decode the value that the cursor stands on, reading on until it is complete."""
        while True:
            window, flaws_before = self._window, len(self._flaws)
            try:
                value, end = self._decode(window, self._at)
            except json.JSONDecodeError as error:
                position, message = error.pos, error.msg
            except RecursionError:
                raise self._malformed("The value is nested too deeply") from None
            else:
                if (
                    end < len(window) - 2 or self._exhausted
                ):  # or else it may be a number cut in two: `1.5e|3`
                    self._started_at, self._at = self._at, end
                    return value
                position, message = end, ""
            unterminated = message.startswith("Unterminated string")
            cut = unterminated or position >= len(window) - _SCAN_MARGIN
            if not cut or self._exhausted:
                if self._at == len(window):
                    raise self._malformed("The file ends where a value is expected")
                ends = position >= len(window) or unterminated
                raise self._malformed(f"The file ends too early: {message}" if ends else message, position)
            if len(window) - self._at > LARGEST_VALUE:
                raise self._malformed(f"A value is longer than {LARGEST_VALUE >> 20} MiB")
            del self._flaws[flaws_before:]
            self._more()

    def _peek(self) -> str:
        """The next character that is not white space, with the cursor on it; "" at the end of the file."""
        while True:
            found = _space(self._window, self._at)
            assert found is not None
            self._at = found.end()
            if self._at < len(self._window):
                return self._window[self._at]
            if not self._more():
                return ""

    def _more(self) -> bool:
        """Slide the window: drop what was consumed, append at least as much as is kept. False at the end."""
        if self._exhausted:
            return False
        consumed, kept = self._window[: self._at], self._window[self._at :]
        self._window_byte += len(consumed) if consumed.isascii() else len(consumed.encode())
        self._window, self._at = kept, 0
        data = self._file.read(max(self._chunk_bytes, len(kept)))
        undecoded = len(self._utf8.getstate()[0])
        self._hash.update(data)
        try:
            self._window += self._utf8.decode(data, final=not data)
        except UnicodeDecodeError as error:
            offset = self.bytes_read - undecoded + error.start
            raise SourceMalformed("The file is not UTF-8", offset=offset, path=self._path) from None
        self.bytes_read += len(data)
        self._exhausted = not data
        return True

    def _skip_byte_order_mark(self) -> None:
        self._more()
        while not self._window and self._more():
            continue
        if self._window.startswith("\ufeff"):
            self._at = 1

    def _malformed(self, problem: str, position: int | None = None) -> SourceMalformed:
        offset = self._offset(self._at if position is None else position)
        return SourceMalformed(problem, offset=offset, path=self._path)

    def _offset(self, position: int) -> int:
        return self._window_byte + len(self._window[:position].encode())

    def _object(self, pairs: list[tuple[str, object]]) -> dict[str, object]:
        value = dict(pairs)
        if len(value) != len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in value if names.count(name) > 1)
            self._flaws.append(f"The key {json.dumps(twice[:100])} is present twice")
        return value

    def _int(self, text: str) -> int:
        try:
            return int(text)
        except ValueError:
            self._flaws.append(f"The number {text[:40]}... has too many digits")
            return 0

    def _float(self, text: str) -> float:
        value = float(text)
        if math.isinf(value):
            self._flaws.append(f"The number {text[:40]} is too large")
        return value

    def _constant(self, text: str) -> float:
        self._flaws.append(f"{text} is not a JSON number")
        return float(text.replace("Infinity", "inf"))
