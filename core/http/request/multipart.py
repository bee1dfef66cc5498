"""Multipart forms, read as they stream in: a part at a time, whatever its size, with flat memory.

Starlette's own form parser spools each file to the temp folder first and would have it written a second time.

    async for part in FormReader(content_type, request.stream()).parts():
        if part.filename is None:
            value = await part.text()
        else:
            async for block in part: ...
"""

import codecs
import re
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator
from typing import Final
from urllib.parse import unquote_to_bytes

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from core.errors import FieldError, Invalid, UnsupportedMediaType

FORM_OVERHEAD_BYTES: Final = 64 * 1024
"""The most that boundaries, headers and small fields add to the size of the files."""

_LARGEST_FIELD: Final = 4096
_LARGEST_HEADER: Final = 16 * 1024
_MOST_PARTS: Final = 32
_QUOTED: Final = re.compile(rb'"(?:\\.|[^"\\])*"', re.DOTALL)
_EXTENDED_NAME: Final = re.compile(
    rb";[ \t]*filename\*[ \t]*=[ \t]*([^;' \t]*)'[^;' \t]*'([^; \t]*)", re.IGNORECASE
)
"""Charset and escaped bytes of a `filename*` (RFC 8187, 3.2)."""

_CHARSETS: Final = frozenset({"ascii", "utf-8", "utf-16", "iso8859-1", "iso8859-15", "cp1252"})
"""Accepted charsets of those that Python knows: some of the others give a text another meaning."""

_Headers = dict[bytes, bytes]


class NotAForm(UnsupportedMediaType, code="http.not_a_form"):
    """The body is not multipart/form-data."""


class MalformedForm(Invalid, code="http.malformed_form"):
    """The form is broken, ends too early, or has more parts than allowed."""


class Part:
    """Part of the form, to be read before the next one is asked for; what is left unread is skipped.

    `filename` is the client's name of its file, unchecked; None for a plain field. `charset` is that of a
    field's text.
    """

    def __init__(self, form: "FormReader", name: str, filename: str | None, charset: str) -> None:
        self.name = name
        self.filename = filename
        self._form = form
        self._charset = charset

    async def is_unchosen(self) -> bool:
        """True of what browsers send for a file input without a file: nothing, by no name."""
        return self.filename == "" and await self._form.peek_data() is None

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while (data := await self._form.next_data()) is not None:
            yield data

    async def text(self, limit: int = _LARGEST_FIELD) -> str:
        """Text of a plain field. Raises MalformedForm beyond `limit` bytes, or for another charset."""
        value = b""
        async for data in self:
            value += data
            if len(value) > limit:
                name, message = self.name[:100], f"is longer than {limit} bytes"
                raise MalformedForm(f'The field "{name}" {message}', details=[FieldError(name, message)])
        return _text(value, self._charset, f'"{self.name[:100]}"')


def add_field(fields: dict[str, str], name: str, value: str) -> None:
    """Add a field. Raises MalformedForm when the form has it already, with another value."""
    if fields.setdefault(name, value) != value:
        message = "is given more than once, with different values; give it once"
        raise MalformedForm(f'The field "{name[:100]}" {message}', details=[FieldError(name[:100], message)])


class FormReader:
    """Reader of a form. Raises NotAForm for a body of another type, and MalformedForm while it is read."""

    def __init__(self, content_type: str, body: AsyncIterable[bytes]) -> None:
        kind, options = parse_options_header(content_type)
        boundary = options.get(b"boundary")
        if kind != b"multipart/form-data":
            raise NotAForm("Content-Type must be multipart/form-data")
        if not boundary:
            raise NotAForm(
                "Content-Type has no boundary: send multipart/form-data; boundary=…, as a client does that "
                "is left to set it"
            )
        self._body = aiter(body)
        self._events: deque[_Headers | bytes | None] = deque()
        """Parts, as far as they are parsed: of each its headers by their lower-case names, its data in
        pieces, and None at its end.
        """
        self._begun = self._complete = False
        self._headers: _Headers = {}
        self._name, self._value = bytearray(), bytearray()
        self._first = re.compile(rb"\r\n--%b(?=\r\n|--)" % re.escape(boundary))
        self._preamble = b"\r\n"
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_header_field": lambda data, start, end: self._name.extend(data[start:end]),
                    "on_header_value": lambda data, start, end: self._value.extend(data[start:end]),
                    "on_header_end": self._on_header_end,
                    "on_headers_finished": self._on_headers_finished,
                    "on_part_data": lambda data, start, end: self._events.append(data[start:end]),
                    "on_part_end": lambda: self._events.append(None),
                    "on_end": self._on_end,
                },
                max_header_size=_LARGEST_HEADER,
            )
        except FormParserError as error:
            raise NotAForm("The boundary of the form is too long") from error

    async def parts(self) -> AsyncIterator[Part]:
        """The parts in their order; afterwards the body has been read to its end."""
        seen = 0
        while await self._filled():
            event = self._events.popleft()
            if isinstance(event, dict):
                seen += 1
                if seen > _MOST_PARTS:
                    raise MalformedForm(f"The form has more than {_MOST_PARTS} parts")
                yield self._part(event)
        if not self._complete:
            raise MalformedForm("The form ends too early")

    async def next_data(self) -> bytes | None:
        """Next bytes of the current part; None at its end."""
        data = await self.peek_data()
        if data is not None:
            self._events.popleft()
        return data

    async def peek_data(self) -> bytes | None:
        """Next bytes of the current part, without taking them."""
        if not await self._filled():
            raise MalformedForm("The form ends too early")
        event = self._events[0]
        return event if isinstance(event, bytes) else None

    async def _filled(self) -> bool:
        """Read on until there is an event; False at the end of the body."""
        while not self._events:
            try:
                self._feed(await anext(self._body))
            except StopAsyncIteration:
                if not self._begun:
                    raise MalformedForm(
                        "The form is malformed: it has not the boundary of its type"
                    ) from None
                return False
        return True

    def _feed(self, chunk: bytes) -> None:
        """Parse bytes. What comes before the first boundary is ignored (RFC 2046, 5.1.1)."""
        if not self._begun:
            chunk = self._preamble + chunk
            first = self._first.search(chunk)
            if first is None:
                self._preamble = chunk[-len(self._first.pattern) :]
                return
            self._begun = True
            chunk = chunk[first.start() + len(b"\r\n") :]
        try:
            if chunk and not self._complete:
                self._parser.write(chunk)
        except FormParserError as error:
            raise MalformedForm("The form is malformed") from error

    def _on_header_end(self) -> None:
        self._headers[bytes(self._name.lower())] = bytes(self._value)
        self._name.clear()
        self._value.clear()

    def _on_headers_finished(self) -> None:
        self._events.append(self._headers)
        self._headers = {}

    def _on_end(self) -> None:
        self._complete = True

    def _part(self, headers: _Headers) -> Part:
        disposition = headers.get(b"content-disposition", b"")
        _, options = parse_options_header(disposition)
        _, kind = parse_options_header(headers.get(b"content-type", b""))
        name = _text(options.get(b"name", b""), "utf-8", "The name of a field")
        charset = kind.get(b"charset", b"utf-8").decode("latin-1")
        return Part(self, name, _filename(disposition, options), charset)


def _filename(disposition: bytes, options: dict[bytes, bytes]) -> str | None:
    """File name of a part. `filename*` is not meant for forms (RFC 7578, 4.2), so it only counts alone."""
    if (plain := options.get(b"filename")) is not None:
        return _text(plain, "utf-8", "The name of a file")
    extended = _EXTENDED_NAME.search(_QUOTED.sub(b'""', disposition))
    if extended is None:
        return None
    return _text(unquote_to_bytes(extended[2]), extended[1].decode("latin-1"), "The name of a file")


def _text(value: bytes, charset: str, what: str) -> str:
    try:
        if codecs.lookup(charset).name not in _CHARSETS:
            raise LookupError
        return value.decode(charset)
    except (LookupError, ValueError):
        raise MalformedForm(f"{what} is not text in {charset[:40]}: send it as UTF-8") from None
