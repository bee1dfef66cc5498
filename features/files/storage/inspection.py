"""Inspection of a file as it streams by: checks and hashes it, and keeps only its beginning."""

import codecs
import hashlib
import re
from typing import Final

from features.files.errors import FileRefused
from features.files.storage.formats import (
    HEAD_BYTES,
    Binary,
    Format,
    Text,
    first_tag,
    looks_like,
    name_of,
    signed_type,
)

# Tab, line feed, form feed, carriage return and escape occur in texts; the other control characters do not.
_NOT_TEXT: Final = re.compile(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f\x7f]")
_WIDE_MARKS: Final = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}


class Inspector:
    """Inspector of one file: `feed` raises FileRefused as soon as the content cannot be of the extension's
    type; `finish` decides in the end. The message names both.
    """

    def __init__(self, extension: str, wanted: Format) -> None:
        self.size = 0
        self._extension = extension
        self._wanted = wanted
        self._hash = hashlib.sha256()
        self._head = b""
        self._judged = False
        self._text = _TextReader(wanted.content.unicode) if isinstance(wanted.content, Text) else None
        self._marks = _Marks(wanted.content) if not isinstance(wanted.content, Text) else None

    @property
    def checksum(self) -> str:
        return self._hash.hexdigest()

    def feed(self, data: bytes) -> None:
        """Inspect the next bytes. Costs processor time: call it in a thread."""
        self.size += len(data)
        self._hash.update(data)
        if not self._judged:
            self._head += data[: HEAD_BYTES - len(self._head)]
        if self._text is not None and not self._text.feed(data):
            raise self._mismatch(name_of(self._head[:HEAD_BYTES]))
        if self._marks is not None:
            self._marks.feed(data)
        if not self._judged and len(self._head) == HEAD_BYTES:
            self._judge()

    def finish(self) -> None:
        if self.size == 0:
            raise FileRefused("File is empty")
        if self._text is not None and not self._text.finish():
            raise self._mismatch(name_of(self._head))
        if not self._judged:
            self._judge()
        if self._marks is not None and not self._marks.complete(self._head):
            raise self._mismatch(name_of(self._head))

    def _judge(self) -> None:
        """Compare the beginning with the expected format. Raises FileRefused."""
        self._judged = True
        content = self._wanted.content
        if isinstance(content, Text):
            self._judge_text(content)
        elif not any(each.begins.match(self._head) for each in content):
            readable = signed_type(self._head) is None and _NOT_TEXT.search(self._head) is None
            raise self._mismatch(looks_like(self._head) if readable else name_of(self._head))

    def _judge_text(self, content: Text) -> None:
        head = self._text.in_utf8(self._head) if self._text is not None else self._head
        found = signed_type(head) or looks_like(head)
        plain = first_tag(head) if content.markup else head.lstrip()
        disguised = found == "text/html" or (found != "text/plain" and not content.markup)
        if disguised or (content.begins is not None and not content.begins.match(plain)):
            raise self._mismatch(found)

    def _mismatch(self, found: str) -> FileRefused:
        name = f"{self._extension} ({self._wanted.mime_type})"
        return FileRefused(f"File content is {found}, which does not agree with the extension {name}")


class _TextReader:
    """Check that bytes are text: UTF-8, UTF-16 with its mark, or else an 8-bit character set."""

    def __init__(self, unicode: bool) -> None:
        self._unicode = unicode
        self._decoder: codecs.IncrementalDecoder | None = None
        self._encoding = "utf-8"
        self._start = b""
        self._started = False

    def feed(self, data: bytes) -> bool:
        if not self._started:
            self._start += data
            if len(self._start) < 2:
                return True
            data = self._begin()
        return self._check(data, final=False)

    def finish(self) -> bool:
        return self._check(b"" if self._started else self._begin(), final=True)

    def in_utf8(self, head: bytes) -> bytes:
        """Beginning of the text in UTF-8 without its mark, for patterns to match."""
        if self._encoding != "utf-8":
            return head.decode(self._encoding, "ignore").lstrip("\ufeff").encode()
        return head.removeprefix(codecs.BOM_UTF8)

    def _begin(self) -> bytes:
        self._started = True
        data, self._start = self._start, b""
        if not self._unicode:
            self._encoding = _WIDE_MARKS.get(data[:2], "utf-8")
        self._decoder = codecs.getincrementaldecoder(self._encoding)()
        return data

    def _check(self, data: bytes, *, final: bool) -> bool:
        if self._decoder is not None:
            try:
                text = self._decoder.decode(data, final)
            except UnicodeDecodeError:
                # Not UTF-8. Texts of old systems are in character sets that nothing in them names.
                if self._unicode or self._encoding != "utf-8":
                    return False
                self._decoder = None
            else:
                data = data if self._encoding == "utf-8" else text.encode()
        return _NOT_TEXT.search(data) is None


class _Marks:
    """Search for the marks of binary formats, across the borders of the fed blocks."""

    def __init__(self, content: tuple[Binary, ...]) -> None:
        self._content = content
        self._missing = {mark for each in content for mark in each.marks}
        self._overlap = max((len(mark) for mark in self._missing), default=1) - 1
        self._tail = b""

    def feed(self, data: bytes) -> None:
        if not self._missing:
            return
        window = self._tail + data
        self._missing -= {mark for mark in self._missing if mark in window}
        self._tail = window[-self._overlap :]

    def complete(self, head: bytes) -> bool:
        return any(
            each.begins.match(head) and not self._missing.intersection(each.marks) for each in self._content
        )
