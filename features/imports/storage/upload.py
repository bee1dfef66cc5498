"""Receives a multipart form whose file may be larger than memory: each chunk goes to disk as it comes, once.

Starlette's own form parser spools a file to the temp folder first and would have it written a second time.
"""

import asyncio
import hashlib
import os
import re
from collections.abc import AsyncIterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from features.imports.errors import NotAForm, UploadInvalid, UploadTooLarge
from features.imports.storage.folders import SOURCE, private, storing

_WRITE_BYTES: Final = 1 << 20
_LARGEST_FIELD: Final = 1024
_MOST_PARTS: Final = 32
FORM_OVERHEAD_BYTES: Final = 64 * 1024
"""What boundaries, headers and small fields may add to the size of the file."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A received form: the file lies complete and synced at `path`, the other fields in `fields`."""

    path: Path
    filename: str
    size: int
    sha256: str
    fields: dict[str, str]


async def receive(content_type: str, body: AsyncIterable[bytes], folder: Path, *, limit: int) -> Upload:
    """Write the form's `file` to `folder`; whatever goes wrong, the caller removes the folder.

    Raises UploadTooLarge as soon as more than `limit` bytes of the file have come, without reading the rest.
    """
    target = _Target(folder / SOURCE)
    form = _Form(content_type, target, limit)
    try:
        async for chunk in body:
            form.feed(chunk)
            if target.pending_bytes >= _WRITE_BYTES:
                await asyncio.to_thread(target.write)
        form.check()
        await asyncio.to_thread(target.finish)
    finally:
        target.close()
    return Upload(target.path, form.filename, target.size, target.sha256, form.fields)


class _Target:
    """The file being written, hashed on its way."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = 0
        self.pending_bytes = 0
        self._partial = path.with_suffix(".partial")
        self._hash = hashlib.sha256()
        self._pending: list[bytes] = []
        self._file = storing(lambda: open(self._partial, "xb", opener=private))  # noqa: SIM115

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()

    def add(self, data: bytes) -> None:
        self._pending.append(data)
        self.pending_bytes += len(data)
        self.size += len(data)

    def write(self) -> None:
        data = b"".join(self._pending)
        self._pending.clear()
        self.pending_bytes = 0
        self._hash.update(data)
        storing(lambda: self._file.write(data))

    def finish(self) -> None:
        """The name appears only once every byte is on the disk."""
        self.write()
        storing(self._sync)

    def _sync(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())
        self._partial.rename(self.path)

    def close(self) -> None:
        self._file.close()


class _Form:
    """The parts of the form, told apart as they stream by."""

    def __init__(self, content_type: str, target: _Target, limit: int) -> None:
        kind, options = parse_options_header(content_type)
        boundary = options.get(b"boundary")
        if kind != b"multipart/form-data" or not boundary:
            raise NotAForm("An import is sent as multipart/form-data with a file")
        self.fields: dict[str, str] = {}
        self.filename = ""
        self._target = target
        self._limit = limit
        self._parts = 0
        self._header_name = b""
        self._header_value = b""
        self._headers: dict[bytes, bytes] = {}
        self._name: str | None = None
        self._value = b""
        self._in_file = False
        self._file_seen = False
        self._complete = False
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
            )
        except FormParserError as error:
            raise NotAForm("The boundary of the form is too long") from error

    def feed(self, chunk: bytes) -> None:
        try:
            self._parser.write(chunk)
        except FormParserError as error:
            raise UploadInvalid("The form is malformed") from error

    def check(self) -> None:
        if not self._file_seen:
            raise UploadInvalid('The form has no "file"')
        if not self._complete:
            raise UploadInvalid("The form ends too early")
        if self._target.size == 0:
            raise UploadInvalid("The file is empty")

    def _part_begin(self) -> None:
        self._parts += 1
        if self._parts > _MOST_PARTS:
            raise UploadInvalid(f"The form has more than {_MOST_PARTS} parts")
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
        self._name = options.get(b"name", b"").decode("utf-8", "replace")
        self._value = b""
        self._in_file = self._name == "file"
        if not self._in_file:
            return
        if self._file_seen:
            raise UploadInvalid('The form has more than one "file"')
        if b"filename" not in options:
            raise UploadInvalid('"file" is not a file')
        self._file_seen = True
        self.filename = _plain_name(options[b"filename"].decode("utf-8", "replace"))

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        if self._in_file:
            if self._target.size + end - start > self._limit:
                raise UploadTooLarge(f"The file is larger than {self._limit} bytes")
            self._target.add(data[start:end])
        elif len(self._value) + end - start > _LARGEST_FIELD:
            raise UploadInvalid(f"A field of the form is longer than {_LARGEST_FIELD} bytes")
        else:
            self._value += data[start:end]

    def _part_end(self) -> None:
        if not self._in_file and self._name:
            self.fields[self._name] = self._value.decode("utf-8", "replace")

    def _end(self) -> None:
        self._complete = True


def _plain_name(name: str) -> str:
    """The last part of what the client calls its file, fit to be shown and logged."""
    return re.sub(r"[\x00-\x1f\x7f]", "", re.split(r"[/\\]", name)[-1])[:255] or "upload"
