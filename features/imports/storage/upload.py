"""Upload of a form whose file may be larger than memory: each chunk is written to disk as it comes, once."""

import asyncio
import re
from collections.abc import AsyncIterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from core.http.request.multipart import FormReader, MalformedForm, Part, add_field
from features.imports.errors import UploadInvalid, UploadTooLarge
from features.imports.storage.folders import SOURCE
from features.imports.storage.writer import SpoolWriter

_WRITE_BYTES: Final = 1 << 20
_LARGEST_FIELD: Final = 32_768
"""Room for the columns of a wide spreadsheet."""


@dataclass(frozen=True, slots=True)
class Upload:
    """Received form: the file lies complete and synced at `path`, the other fields in `fields`."""

    path: Path
    filename: str
    size: int
    sha256: str
    fields: dict[str, str]


async def receive(content_type: str, body: AsyncIterable[bytes], folder: Path, *, limit: int) -> Upload:
    """Write the form's `file` to `folder`; whatever goes wrong, the caller removes the folder.

    Raises UploadTooLarge as soon as more than `limit` bytes of the file have come, without reading the rest.
    """
    form = FormReader(content_type, body)
    writer, size = SpoolWriter(folder / SOURCE, 0), 0
    filename: str | None = None
    fields: dict[str, str] = {}
    try:
        async for part in form.parts():
            if part.name != "file":
                add_field(fields, part.name, await part.text(_LARGEST_FIELD))
            elif filename is not None:
                raise UploadInvalid('The form has more than one "file"')
            elif part.filename is None:
                raise UploadInvalid('"file" is not a file')
            elif await part.is_unchosen():
                raise UploadInvalid('No file was chosen for "file"')
            else:
                filename = plain_name(part.filename)
                size = await _copy(part, writer, limit)
        if filename is None:
            raise UploadInvalid('The form has no "file"')
        if size == 0:
            raise UploadInvalid("The file is empty")
        sha256 = await asyncio.to_thread(writer.finish)
    except MalformedForm as error:
        raise UploadInvalid(error.message, details=error.details) from error
    finally:
        writer.close()
    return Upload(folder / SOURCE, filename, size, sha256, fields)


async def _copy(part: Part, writer: SpoolWriter, limit: int) -> int:
    """Size of the part's file."""
    size, pending, pending_bytes = 0, list[bytes](), 0
    async for data in part:
        size, pending_bytes = size + len(data), pending_bytes + len(data)
        if size > limit:
            raise UploadTooLarge(f"The file is larger than {limit} bytes")
        pending.append(data)
        if pending_bytes >= _WRITE_BYTES:
            await asyncio.to_thread(writer.write, b"".join(pending))
            pending, pending_bytes = [], 0
    await asyncio.to_thread(writer.write, b"".join(pending))
    return size


def plain_name(name: str) -> str:
    """Base name of a file as people see it: what no terminal or page would show is left out; at most 255
    characters.
    """
    base = re.split(r"[/\\]", name)[-1]
    return "".join(each for each in base if each.isprintable())[:255] or "upload"
