"""Upload of a form whose file may be larger than memory: each chunk is written to disk as it comes, once."""

import asyncio
import hashlib
import os
import re
from collections.abc import AsyncIterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from core.http.request.multipart import FormReader, MalformedForm, Part, add_field
from features.imports.errors import UploadInvalid, UploadTooLarge
from features.imports.storage.folders import SOURCE, private, storing

_WRITE_BYTES: Final = 1 << 20
_LARGEST_FIELD: Final = 1024


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
    target = _Target(folder / SOURCE)
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
                filename = _plain_name(part.filename)
                await _copy(part, target, limit)
        if filename is None:
            raise UploadInvalid('The form has no "file"')
        if target.size == 0:
            raise UploadInvalid("The file is empty")
        await asyncio.to_thread(target.finish)
    except MalformedForm as error:
        raise UploadInvalid(error.message, details=error.details) from error
    finally:
        target.close()
    return Upload(target.path, filename, target.size, target.sha256, fields)


async def _copy(part: Part, target: "_Target", limit: int) -> None:
    async for data in part:
        if target.size + len(data) > limit:
            raise UploadTooLarge(f"The file is larger than {limit} bytes")
        target.add(data)
        if target.pending_bytes >= _WRITE_BYTES:
            await asyncio.to_thread(target.write)


class _Target:
    """File being written, hashed on the way."""

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
        """Sync the file, then give it its name."""
        self.write()
        storing(self._sync)

    def _sync(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())
        self._partial.rename(self.path)

    def close(self) -> None:
        self._file.close()


def _plain_name(name: str) -> str:
    """Base name of the client's file without control characters, at most 255 characters."""
    return re.sub(r"[\x00-\x1f\x7f]", "", re.split(r"[/\\]", name)[-1])[:255] or "upload"
