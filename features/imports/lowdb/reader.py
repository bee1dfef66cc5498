"""Streaming reader of a LowDB file, record by record in bounded memory; it names the byte where it stops
being JSON.

One reader serves small and large files, so both give the same records, paths and errors. It slides a window
over the file and lets the standard library's C scanner decode one record at a time (more than 200,000 a
second). ijson was tried and left out: its C back end turns an unpaired surrogate into `?` without a word,
keeps only the last of two equal keys, names no byte offset, and gives up the whole file for one number that
is too large.
"""

import json
import re
from collections.abc import Callable, Iterator
from typing import BinaryIO, Final, NamedTuple

from features.imports.errors import SourceMalformed
from features.imports.lowdb.values import ValueDecoder
from features.imports.lowdb.window import LARGEST_VALUE, Window

CHUNK_BYTES: Final = 1 << 20
LIST_NAMES: Final = ("items", "ideas")
IGNORED_NAMES: Final = 20
"""Upper bound of the other top-level keys that are reported by name."""

RUN_CHARACTERS: Final = 1 << 16
"""Upper bound of the text that `ahead` returns: many records, few enough for the processor's cache."""

_SCAN_MARGIN: Final = 16
"""Characters before the window's end where an error may be a cut value (`tru|e`, `\\ud83d\\u|de00`)."""
_comma_or_end = re.compile(r"[ \t\n\r]*([,\]])[ \t\n\r]*").match


class Record(NamedTuple):
    """Element of the list: its position from 0, its value, and flaws that make it unusable."""

    position: int
    value: object
    flaws: tuple[str, ...]


class LowDbReader(Window):
    """Iterator over the records of a LowDB file, to be used once.

    After the last record `sha256` covers the whole file, `ignored` names the other top-level keys and
    `list_name` the list that was read ("" for a bare array). Raises `SourceMalformed` as soon as the file is
    not one whole JSON document of a known form.

    `outside` is called, piece by piece, with all text up to the list's bracket and, once `entered` is true,
    with all text after the last record; a record's own text is `source_text()`, and `lead` the text before
    it.
    """

    def __init__(
        self,
        file: BinaryIO,
        *,
        chunk_bytes: int = CHUNK_BYTES,
        outside: Callable[[str], None] | None = None,
    ) -> None:
        super().__init__(file, chunk_bytes, outside)
        self._started_at = 0
        self._decoder = ValueDecoder()
        self._flaws = self._decoder.flaws
        self._position = 0
        self.lead = ""
        self.entered = False
        self.list_name: str | None = None
        self.ignored: list[str] = []

    def path(self, position: int) -> str:
        """Path of a record: `items[12]`, or `[12]` when the file is a bare array."""
        return f"{self.list_name or ''}[{position}]"

    def source_text(self) -> str:
        """Text of the newest record as in the file; valid only until the next one is asked for."""
        return self._window[self._started_at : self._at]

    def ahead(self, margin: str) -> str:
        """Buffered text after the newest record, as far as records with this margin seem to follow, each
        behind a comma; the last one is complete. It is not validated.
        """
        opening, closing = f",\n{margin}{{", f"\n{margin}}}"
        if not self._window.startswith(opening, self._at):
            return ""
        end = self._window.rfind(closing + opening, self._at, self._at + RUN_CHARACTERS)
        return "" if end < 0 else self._window[self._at : end + len(closing)]

    def step_over(self, text: str, records: int) -> None:
        """Advance past the text that `ahead` returned, which holds so many records."""
        self._at += len(text)
        self._position += records

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
        self._tell()

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
        self._at += 1
        self._tell()
        self.entered = True
        start = self._ahead()
        if self._window[start : start + 1] == "]":
            self._at = start + 1
            return
        self.lead, self._at, self._inside = self._window[self._at : start], start, True
        flaws = self._flaws
        while True:
            self._path = self.path(self._position)
            flaws.clear()
            value = self._value()
            yield Record(self._position, value, tuple(flaws) if flaws else ())
            self._position += 1
            if self._comma():
                return

    def _comma(self) -> bool:
        """Step over the comma and the white space around it; True at the end of the list."""
        while True:
            found = _comma_or_end(self._window, self._at)
            if found is not None and (found.end() < len(self._window) or self._exhausted):
                self.lead = found[0]
                if found[1] == "]":
                    self._inside, self._outside_from = False, self._at
                self._at = found.end()
                return not self._inside
            if found is None:
                start = self._ahead()
                if start == len(self._window):
                    self._at = start
                    raise self._malformed("The file ends in the middle of the list")
                if self._window[start] not in (",", "]"):
                    raise self._malformed("Expected ',' or ']'", start)
            if len(self._window) - self._at > LARGEST_VALUE:
                raise self._malformed(f"More than {LARGEST_VALUE >> 20} MiB of white space")
            self._more()

    def _skip(self, depth: int) -> None:
        """Step over a value that is not needed, container by container, so that its size does not matter."""
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
        """Decode the value at the cursor, reading on until it is complete."""
        while True:
            window, flaws_before = self._window, len(self._flaws)
            try:
                value, end = self._decoder.decode(window, self._at)
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
