"""Streaming reader of a LowDB file, record by record in bounded memory; it names the byte where it stops
being JSON.

One reader serves small and large files, so both give the same records, paths and errors. It slides a window
over the file, as large as one value needs, and lets the standard library's C scanner decode one record at a
time (more than 200,000 a second). ijson was tried and left out: its C back end turns an unpaired surrogate
into `?` without a word, keeps only the last of two equal keys, names no byte offset, and gives up the whole
file for one number that is too large.
"""

import codecs
import hashlib
import json
import re
from collections.abc import Callable, Iterator
from typing import BinaryIO, Final, NamedTuple

from features.imports.errors import SourceMalformed
from features.imports.lowdb.values import ValueDecoder

CHUNK_BYTES: Final = 1 << 20
LIST_NAMES: Final = ("items", "ideas")
IGNORED_NAMES: Final = 20
"""Upper bound of the other top-level keys that are reported by name."""

RUN_CHARACTERS: Final = 1 << 16
"""Upper bound of the text that `ahead` returns: many records, few enough for the processor's cache."""

LARGEST_VALUE: Final = 16 << 20
"""Upper bound of a record in characters: a longer one would not fit a batch."""

_DEEPEST: Final = 100
_SCAN_MARGIN: Final = 16
"""Characters before the window's end where an error may be a cut value (`tru|e`, `\\ud83d\\u|de00`)."""
_ZIP: Final = b"PK\x03\x04"
_PACKED: Final = (
    "The file is a ZIP file, not a LowDB file; choose that it is an old registry's, or unpack it first"
)
_not_space = re.compile(r"[^ \t\n\r]").search


class Record(NamedTuple):
    """Element of the list: its position from 0, its value, and flaws that make it unusable."""

    position: int
    value: object
    flaws: tuple[str, ...]


class LowDbReader:
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
        self.lead = ""
        self.entered = False
        self.list_name: str | None = None
        self.ignored: list[str] = []
        self.bytes_read = 0
        self._file, self._chunk_bytes, self._outside = file, chunk_bytes, outside
        self._hash = hashlib.sha256()
        self._utf8 = codecs.getincrementaldecoder("utf-8")("strict")
        self._decoder = ValueDecoder()
        self._flaws = self._decoder.flaws
        # The window holds the text from `_kept` on, which is needed yet; `_at` is the cursor.
        self._window = ""
        self._kept = self._at = self._window_byte = 0
        self._inside = self._exhausted = False
        self._path: str | None = None
        self._position = 0

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()

    @property
    def consumed(self) -> int:
        """Bytes that the records so far took, about."""
        return self._window_byte + self._at

    def path(self, position: int) -> str:
        """Path of a record: `items[12]`, or `[12]` when the file is a bare array."""
        return f"{self.list_name or ''}[{position}]"

    def source_text(self) -> str:
        """Text of the newest record as in the file; valid only until the next one is asked for."""
        return self._window[self._kept : self._at]

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
        while not self._window and self._more():
            continue
        self._at = int(self._window.startswith("\ufeff"))
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
        ended = self._peek() == "}"
        self._at += ended
        while not ended:
            self._peek()
            offset = self._offset(self._at)
            name = self._key()
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
                self._skip()
            self._path = None
            ended = self._ended("}")
        if self.list_name is None:
            raise self._malformed('The object has no "items" list')

    def _records(self) -> Iterator[Record]:
        self._at += 1
        self._tell()
        self.entered = self._inside = True
        if self._peek() == "]":
            self._inside = False
            self._at += 1
            return
        while True:
            self.lead, self._kept = self._window[self._kept : self._at], self._at
            self._path = self.path(self._position)
            self._flaws.clear()
            yield Record(self._position, self._value(), tuple(self._flaws))
            self._position += 1
            self._kept = self._at
            if self._peek() == "":
                raise self._malformed("The file ends in the middle of the list")
            if self._ended("]"):
                self._inside = False
                return
            self._peek()

    def _skip(self, depth: int = 0) -> None:
        """Step over a value that is not needed, container by container, so that its size does not matter."""
        self._flaws.clear()
        opening = self._peek()
        if opening not in ("{", "[") or depth == _DEEPEST:
            self._value()
            return
        closing = "}" if opening == "{" else "]"
        self._at += 1
        ended = self._peek() == closing
        self._at += ended
        while not ended:
            if opening == "{":
                self._key()
            self._skip(depth + 1)
            ended = self._ended(closing)

    def _key(self) -> str:
        """Step over a key and its colon."""
        if self._peek() != '"':
            raise self._malformed("Expected a key in double quotes")
        name = str(self._value())
        if self._path is None:
            self._path = name[:100]
        if self._peek() != ":":
            raise self._malformed("Expected ':' after a key")
        self._at += 1
        return name

    def _ended(self, closing: str) -> bool:
        """Step over a comma, or over the closing bracket, which ends it."""
        following = self._peek()
        if following not in (",", closing):
            raise self._malformed(f"Expected ',' or '{closing}'")
        self._at += 1
        return following == closing

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
                # At the window's end it may be a number cut in two: `1.5e|3`.
                if end < len(window) - 2 or self._exhausted:
                    self._at = end
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
        """Next character that is not white space, with the cursor on it; "" at the end of the file."""
        while (found := _not_space(self._window, self._at)) is None:
            self._at = len(self._window)
            if self._inside and self._at - self._kept > LARGEST_VALUE:
                raise self._malformed(f"More than {LARGEST_VALUE >> 20} MiB of white space")
            if not self._more():
                return ""
        self._at = found.start()
        return found[0]

    def _more(self) -> bool:
        """Slide the window: drop what is not needed, append at least as much as stays. False at the end."""
        if self._exhausted:
            return False
        if not self._inside:
            self._tell()
        dropped, kept = self._window[: self._kept], self._window[self._kept :]
        self._window_byte += len(dropped) if dropped.isascii() else len(dropped.encode())
        self._window, self._at, self._kept = kept, self._at - self._kept, 0
        data = self._file.read(max(self._chunk_bytes, len(kept)))
        undecoded = len(self._utf8.getstate()[0])
        if not self.bytes_read and data.startswith(_ZIP):
            raise SourceMalformed(_PACKED, offset=0, path=self._path)
        self._hash.update(data)
        try:
            self._window += self._utf8.decode(data, final=not data)
        except UnicodeDecodeError as error:
            offset = self.bytes_read - undecoded + error.start
            raise SourceMalformed("The file is not UTF-8", offset=offset, path=self._path) from None
        self.bytes_read += len(data)
        self._exhausted = not data
        return True

    def _tell(self) -> None:
        """Pass text consumed outside of the list to `outside`."""
        if self._outside is not None and self._at > self._kept:
            self._outside(self._window[self._kept : self._at])
        self._kept = self._at

    def _malformed(self, problem: str, position: int | None = None) -> SourceMalformed:
        offset = self._offset(self._at if position is None else position)
        return SourceMalformed(problem, offset=offset, path=self._path)

    def _offset(self, position: int) -> int:
        return self._window_byte + len(self._window[:position].encode())
