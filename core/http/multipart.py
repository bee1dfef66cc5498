"""Reads a multipart form as it streams in: a part at a time, whatever its size, with flat memory.

Starlette's own form parser spools each file to the temp folder first and would have it written a second time.

    async for part in FormReader(content_type, request.stream()).parts():
        if part.filename is None:
            value = await part.text()
        else:
            async for block in part: ...
"""

import codecs
import hashlib
import re
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator
from typing import Final
from urllib.parse import unquote_to_bytes

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from core.errors import FieldError, Invalid, UnsupportedMediaType

FORM_OVERHEAD_BYTES: Final = 64 * 1024
"""What boundaries, headers and small fields may add to the size of the files."""

_LARGEST_FIELD: Final = 4096
_LARGEST_HEADER: Final = 16 * 1024
_MOST_PARTS: Final = 32
_LONGEST_PADDING: Final = 64
_QUOTED: Final = re.compile(rb'"(?:\\.|[^"\\])*"', re.DOTALL)
_EXTENDED_NAME: Final = re.compile(
    rb";[ \t]*filename\*[ \t]*=[ \t]*([^;' \t]*)'[^;' \t]*'([^; \t]*)", re.IGNORECASE
)
"""The charset and the escaped bytes of a `filename*` (RFC 8187, 3.2)."""

_CHARSETS: Final = frozenset({"ascii", "utf-8", "utf-16", "iso8859-1", "iso8859-15", "cp1252"})
"""Of those that Python knows: some of the others give a text another meaning."""


class NotAForm(UnsupportedMediaType):
    """The body is not multipart/form-data."""

    code = "http.not_a_form"


class MalformedForm(Invalid):
    """The form is broken, ends too early, or has more in it than a form of ours can have."""

    code = "http.malformed_form"


class Part:
    """One part of the form, to be read before the next one is asked for; what is left unread is skipped.

    `filename` is what the client calls its file, unchecked; None for a plain field. `charset` is that of a
    field's text.
    """

    def __init__(self, form: "FormReader", name: str, filename: str | None, charset: str) -> None:
        self.name = name
        self.filename = filename
        self._form = form
        self._charset = charset

    async def is_unchosen(self) -> bool:
        """Whether it is what browsers send for a file input without a file: nothing, by no name."""
        return self.filename == "" and await self._form.peek_data() is None

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while (data := await self._form.next_data()) is not None:
            yield data

    async def text(self, limit: int = _LARGEST_FIELD) -> str:
        """The whole of a plain field. Raises MalformedForm when it has more than `limit` bytes, or is no text
        in its charset.
        """
        value = b""
        async for data in self:
            value += data
            if len(value) > limit:
                raise MalformedForm(f"A field of the form is longer than {limit} bytes")
        return _text(value, self._charset, f'"{self.name[:100]}"')


def add_field(fields: dict[str, str], name: str, value: str) -> None:
    """Raises MalformedForm when the form has the field already, with another value."""
    if fields.setdefault(name, value) != value:
        message = "is given more than once, with different values; give it once"
        raise MalformedForm(f'The field "{name[:100]}" {message}', details=[FieldError(name[:100], message)])


class _FormParser:
    """Takes a form apart as its bytes come, and tells the methods below. Raises NotAForm."""

    def __init__(self, content_type: str | bytes) -> None:
        kind, options = parse_options_header(content_type)
        boundary = options.get(b"boundary")
        if kind != b"multipart/form-data" or not boundary:
            raise NotAForm("Content-Type must be multipart/form-data")
        self._complete = False
        self._header_name = b""
        self._header_value = b""
        self._headers: dict[bytes, bytes] = {}
        self._first = re.compile(rb"\r\n(--%b)(?:[ \t]*(\r\n)|(?=--))" % re.escape(boundary))
        self._preamble: bytes | None = b"\r\n"
        self._kept = len(boundary) + _LONGEST_PADDING
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._part_begin,
                    "on_part_data": lambda data, start, end: self._part_data(data[start:end]),
                    "on_part_end": self._part_end,
                    "on_header_field": self._on_header_name,
                    "on_header_value": self._on_header_value,
                    "on_header_end": self._header_end,
                    "on_headers_finished": self._headers_finished,
                    "on_end": self._end,
                },
                max_header_size=_LARGEST_HEADER,
            )
        except FormParserError as error:
            raise NotAForm("The boundary of the form is too long") from error

    def _feed(self, chunk: bytes) -> None:
        """Raises MalformedForm."""
        if self._preamble is not None:
            chunk = self._behind_preamble(self._preamble + chunk)
        try:
            if chunk and not self._complete:
                self._parser.write(chunk)
        except FormParserError as error:
            raise MalformedForm("The form is malformed") from error

    def _behind_preamble(self, data: bytes) -> bytes:
        """What comes before the first boundary is to be ignored (RFC 2046, 5.1.1), and so is padding."""
        found = self._first.search(data)
        if found is None:
            self._preamble = data[-self._kept :]
            return b""
        self._preamble = None
        return found[1] + (found[2] or b"") + data[found.end() :]

    def _part_begin(self) -> None:
        self._headers = {}

    def _on_header_name(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def _header_end(self) -> None:
        self._headers[self._header_name.lower()] = self._header_value
        self._header_name = self._header_value = b""

    def _headers_finished(self) -> None:
        raise NotImplementedError

    def _part_data(self, data: bytes) -> None:
        raise NotImplementedError

    def _part_end(self) -> None:
        raise NotImplementedError

    def _end(self) -> None:
        self._complete = True


class FormDigest(_FormParser):
    """A hash of a form's parts: the same under whatever boundary they are sent, and however that is cut.

    `size` counts the bytes of the parts and their headers. What cannot be taken apart is hashed as it is.
    """

    def __init__(self, content_type: bytes) -> None:
        super().__init__(content_type)
        self.size = 0
        self._whole = hashlib.sha256()
        self._part = hashlib.sha256()
        self._malformed = False

    def update(self, data: bytes) -> None:
        if not self._malformed:
            try:
                self._feed(data)
                return
            except MalformedForm:
                self._malformed = True
        self._whole.update(data)
        self.size += len(data)

    def hexdigest(self) -> str:
        return self._whole.hexdigest()

    def _headers_finished(self) -> None:
        head = b"".join(b"%b:%b\r\n" % header for header in self._headers.items())
        self._part = hashlib.sha256(head + b"\r\n")
        self.size += len(head)

    def _part_data(self, data: bytes) -> None:
        self._part.update(data)
        self.size += len(data)

    def _part_end(self) -> None:
        self._whole.update(self._part.digest())


class FormReader(_FormParser):
    """Raises NotAForm for a body of another type, and MalformedForm while it is read."""

    def __init__(
        self, content_type: str, body: AsyncIterable[bytes], *, most_parts: int = _MOST_PARTS
    ) -> None:
        super().__init__(content_type)
        self._body = aiter(body)
        self._most_parts = most_parts
        self._seen = 0
        self._events: deque[Part | bytes | None] = deque()

    async def parts(self) -> AsyncIterator[Part]:
        """The parts in their order; afterwards the body has been read to its end."""
        while await self._filled():
            event = self._events.popleft()
            if isinstance(event, Part):
                yield event
        if not self._complete:
            raise MalformedForm("The form ends too early")

    async def next_data(self) -> bytes | None:
        """The next bytes of the part in hand; None at its end."""
        data = await self.peek_data()
        if not isinstance(self._events[0], Part):
            self._events.popleft()
        return data

    async def peek_data(self) -> bytes | None:
        """The same, without taking them."""
        if not await self._filled():
            raise MalformedForm("The form ends too early")
        event = self._events[0]
        return None if isinstance(event, Part) else event

    async def _filled(self) -> bool:
        """Read on until there is an event; False at the end of the body."""
        while not self._events:
            try:
                chunk = await anext(self._body)
            except StopAsyncIteration:
                if self._preamble is not None:
                    raise MalformedForm(
                        "The form is malformed: it has not the boundary of its type"
                    ) from None
                return False
            self._feed(chunk)
        return True

    def _part_begin(self) -> None:
        super()._part_begin()
        self._seen += 1
        if self._seen > self._most_parts:
            raise MalformedForm(f"The form has more than {self._most_parts} parts")

    def _headers_finished(self) -> None:
        disposition = self._headers.get(b"content-disposition", b"")
        _, options = parse_options_header(disposition)
        _, kind = parse_options_header(self._headers.get(b"content-type", b""))
        name = _text(options.get(b"name", b""), "utf-8", "The name of a field")
        charset = kind.get(b"charset", b"utf-8").decode("latin-1")
        self._events.append(Part(self, name, _filename(disposition, options), charset))

    def _part_data(self, data: bytes) -> None:
        if data:
            self._events.append(data)

    def _part_end(self) -> None:
        self._events.append(None)


def _filename(disposition: bytes, options: dict[bytes, bytes]) -> str | None:
    """`filename*` is not meant for forms (RFC 7578, 4.2), so it only counts alone."""
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
