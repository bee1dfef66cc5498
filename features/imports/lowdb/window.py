"""Sliding window over a file of UTF-8 text: buffers as much as one value needs, hashes all that it reads."""

import codecs
import hashlib
import re
from collections.abc import Callable
from typing import BinaryIO, Final

from features.imports.errors import SourceMalformed

LARGEST_VALUE: Final = 16 << 20
"""Upper bound of a record in characters: a longer one would not fit a batch."""

_ZIP: Final = b"PK\x03\x04"
_PACKED: Final = (
    "The file is a ZIP file, not a LowDB file; choose that it is an old registry's, or unpack it first"
)

_space = re.compile(r"[ \t\n\r]*").match


class Window:
    """Base of a reader. `_window` is buffered text around the cursor `_at`; `_more` drops the consumed part.

    Text consumed while `_inside` is false goes to `outside`.
    """

    def __init__(self, file: BinaryIO, chunk_bytes: int, outside: Callable[[str], None] | None) -> None:
        self._file = file
        self._chunk_bytes = chunk_bytes
        self._outside = outside
        self._outside_from = 0
        self._inside = False
        self._hash = hashlib.sha256()
        self._utf8 = codecs.getincrementaldecoder("utf-8")("strict")
        self._window = ""
        self._at = 0
        self._window_byte = 0
        self._exhausted = False
        self._path: str | None = None
        self.bytes_read = 0

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()

    @property
    def consumed(self) -> int:
        """Bytes that the records so far took, about."""
        return self._window_byte + self._at

    def _peek(self) -> str:
        """Next character that is not white space, with the cursor on it; "" at the end of the file."""
        while True:
            found = _space(self._window, self._at)
            assert found is not None
            self._at = found.end()
            if self._at < len(self._window):
                return self._window[self._at]
            if not self._more():
                return ""

    def _more(self) -> bool:
        """Slide the window: drop the consumed part, append at least as much as is kept. False at the end."""
        if self._exhausted:
            return False
        if not self._inside:
            self._tell()
        consumed, kept = self._window[: self._at], self._window[self._at :]
        self._window_byte += len(consumed) if consumed.isascii() else len(consumed.encode())
        self._window, self._at, self._outside_from = kept, 0, 0
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

    def _ahead(self) -> int:
        """Index in the window of the next character that is not white space, or the window's end at the end
        of the file; the cursor stays.
        """
        while True:
            found = _space(self._window, self._at)
            assert found is not None
            if found.end() - self._at > LARGEST_VALUE:
                raise self._malformed(f"More than {LARGEST_VALUE >> 20} MiB of white space")
            if found.end() < len(self._window) or not self._more():
                return found.end()

    def _tell(self) -> None:
        """Pass text consumed outside of the list to `outside`."""
        if self._outside is not None and self._at > self._outside_from:
            self._outside(self._window[self._outside_from : self._at])
        self._outside_from = self._at

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
