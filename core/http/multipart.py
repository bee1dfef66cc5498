"""Reads a multipart form as it streams in: a part at a time, whatever its size, with flat memory.

Starlette's own form parser spools each file to the temp folder first and would have it written a second time.

    async for part in FormReader(content_type, request.stream()).parts():
        if part.filename is None:
            value = await part.text()
        else:
            async for block in part: ...
"""

from collections import deque
from collections.abc import AsyncIterable, AsyncIterator
from typing import Final

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from core.errors import FieldError, Invalid, UnsupportedMediaType

FORM_OVERHEAD_BYTES: Final = 64 * 1024
"""What boundaries, headers and small fields may add to the size of the files."""

_LARGEST_FIELD: Final = 4096
_LARGEST_HEADER: Final = 16 * 1024
_MOST_PARTS: Final = 32


class NotAForm(UnsupportedMediaType):
    """The body is not multipart/form-data."""

    code = "http.not_a_form"


class MalformedForm(Invalid):
    """The form is broken, ends too early, or has more in it than a form of ours can have."""

    code = "http.malformed_form"


class Part:
    """One part of the form, to be read before the next one is asked for; what is left unread is skipped.

    `filename` is what the client calls its file, unchecked; None for a plain field.
    """

    def __init__(self, form: "FormReader", name: str, filename: str | None) -> None:
        self.name = name
        self.filename = filename
        self._form = form

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while (data := await self._form.next_data()) is not None:
            yield data

    async def text(self, limit: int = _LARGEST_FIELD) -> str:
        """The whole of a plain field. Raises MalformedForm when it has more than `limit` bytes."""
        value = b""
        async for data in self:
            value += data
            if len(value) > limit:
                raise MalformedForm(f"A field of the form is longer than {limit} bytes")
        return value.decode("utf-8", "replace")


def add_field(fields: dict[str, str], name: str, value: str) -> None:
    """Raises MalformedForm when the form has the field already, with another value."""
    if fields.setdefault(name, value) != value:
        message = "is given more than once, with different values; give it once"
        raise MalformedForm(f'The field "{name[:100]}" {message}', details=[FieldError(name[:100], message)])


class FormReader:
    """Raises NotAForm for a body of another type, and MalformedForm while it is read."""

    def __init__(
        self, content_type: str, body: AsyncIterable[bytes], *, most_parts: int = _MOST_PARTS
    ) -> None:
        kind, options = parse_options_header(content_type)
        boundary = options.get(b"boundary")
        if kind != b"multipart/form-data" or not boundary:
            raise NotAForm("Content-Type must be multipart/form-data")
        self._body = aiter(body)
        self._most_parts = most_parts
        self._seen = 0
        self._complete = False
        self._events: deque[Part | bytes | None] = deque()
        self._header_name = b""
        self._header_value = b""
        self._headers: dict[bytes, bytes] = {}
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._part_begin,
                    "on_part_data": self._part_data,
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
        while True:
            if not await self._filled():
                raise MalformedForm("The form ends too early")
            event = self._events[0]
            if isinstance(event, Part):
                return None
            self._events.popleft()
            if event is None or event:
                return event

    async def _filled(self) -> bool:
        """Read on until there is an event; False at the end of the body."""
        while not self._events:
            try:
                chunk = await anext(self._body)
            except StopAsyncIteration:
                return False
            try:
                if not self._complete:
                    self._parser.write(chunk)
            except FormParserError as error:
                raise MalformedForm("The form is malformed") from error
        return True

    def _part_begin(self) -> None:
        self._seen += 1
        if self._seen > self._most_parts:
            raise MalformedForm(f"The form has more than {self._most_parts} parts")
        self._headers = {}

    def _on_header_name(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def _header_end(self) -> None:
        self._headers[self._header_name.lower()] = self._header_value
        self._header_name = self._header_value = b""

    def _headers_finished(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        name = options.get(b"name", b"").decode("utf-8", "replace")
        filename = options[b"filename"].decode("utf-8", "replace") if b"filename" in options else None
        self._events.append(Part(self, name, filename))

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        self._events.append(data[start:end])

    def _part_end(self) -> None:
        self._events.append(None)

    def _end(self) -> None:
        self._complete = True
