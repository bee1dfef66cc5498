"""Reception of a multipart form: each file is inspected and hashed on its way into the store."""

import asyncio
import time
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

import structlog

from core.errors import HandoverError, Unavailable
from core.http.request.multipart import FormReader, MalformedForm, Part, add_field
from features.files.errors import FileRefused, FileTooLarge, UploadInvalid, UploadTooSlow
from features.files.schemas import Received
from features.files.storage.formats import FORMATS
from features.files.storage.inspection import Inspector
from features.files.storage.names import extension_of, safe_name, shown_name
from features.files.storage.objects import Objects, new_key

LONGEST_UPLOAD_S: Final = 6 * 3600.0
"""Upper bound of the seconds from the beginning of a form to its rows. `files.reconcile` spares objects for
twice as long; a bucket dates an object by its first byte.
"""

_BLOCK_BYTES: Final = 256 * 1024

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Refused:
    """File that was refused, with the reason; nothing of it is left."""

    original_name: str
    error: HandoverError


@dataclass(slots=True)
class Form:
    """Content of a received form. Its objects have no rows yet."""

    files: list[Received | Refused] = field(default_factory=list)
    fields: dict[str, str] = field(default_factory=dict)
    object_keys: list[str] = field(default_factory=list)
    began_at: float = field(default_factory=time.monotonic)
    unchosen: bool = False
    """True if there was a file input in which no file was chosen."""
    committing: bool = False
    """True when only the commit is left to do: from then on an error may hide a success."""

    @property
    def received(self) -> list[Received]:
        return [each for each in self.files if isinstance(each, Received)]

    @property
    def refused(self) -> list[Refused]:
        return [each for each in self.files if isinstance(each, Refused)]

    def raise_if_late(self) -> None:
        if time.monotonic() - self.began_at > LONGEST_UPLOAD_S:
            raise UploadTooSlow("The upload took too long")


@asynccontextmanager
async def incoming(objects: Objects) -> AsyncIterator[Form]:
    """Form to be filled by `receive` and written by the block. When the block raises, its objects are
    removed.

    Unless the outcome of the commit is unknown: then `files.reconcile` decides later.
    """
    form = Form()
    try:
        yield form
    except BaseException as error:
        if form.committing and isinstance(error, Unavailable | asyncio.CancelledError):
            log.warning("files.outcome_unknown", object_keys=form.object_keys)
        else:
            await asyncio.shield(_discard(objects, form))
        raise


async def _discard(objects: Objects, form: Form) -> None:
    for key in form.object_keys:
        try:
            await objects.remove(key)
        except Unavailable:
            log.warning("files.object_left", object_key=key)


async def receive(
    form: Form,
    objects: Objects,
    content_type: str,
    body: AsyncIterable[bytes],
    *,
    field_name: str,
    most_files: int,
    limit: int,
) -> None:
    """Read the body to its end, also when something in it is refused: a client that is still sending might
    not see the answer. Raises faults of the form as a whole; faults of one file are in `form.files`.
    """
    fault: HandoverError | None = None
    async for part in FormReader(content_type, body).parts():
        if fault is not None:
            continue
        try:
            await _take(form, objects, part, field_name, most_files, limit)
        except MalformedForm:
            raise
        except HandoverError as error:
            fault = error
    if fault is None and not form.files:
        missing = "No file was chosen for" if form.unchosen else "The form has no"
        fault = UploadInvalid(f'{missing} "{field_name}"')
    if fault is not None:
        raise fault


async def _take(
    form: Form, objects: Objects, part: Part, field_name: str, most_files: int, limit: int
) -> None:
    if part.filename is None:
        if part.name == field_name:
            raise UploadInvalid(f'"{field_name}" is not a file')
        add_field(form.fields, part.name, await part.text())
        return
    if part.name != field_name:
        raise UploadInvalid(f'Unexpected file "{part.name[:100]}"; files are sent as "{field_name}"')
    if await part.is_unchosen():
        form.unchosen = True
        return
    if len(form.files) == most_files:
        raise UploadInvalid(f"At most {most_files} file{'s' * (most_files > 1)} can be uploaded at once")
    original_name = shown_name(part.filename)
    try:
        form.files.append(await _store(form, objects, part, original_name, safe_name(part.filename), limit))
    except (FileRefused, FileTooLarge) as error:
        form.files.append(Refused(original_name, error))


async def _store(
    form: Form, objects: Objects, part: Part, original_name: str, filename: str, limit: int
) -> Received:
    extension = extension_of(filename)
    wanted = FORMATS.get(extension)
    if wanted is None:
        allowed = ", ".join(FORMATS)
        raise FileRefused(
            f"File type {extension or 'without an extension'} is not allowed; allowed: {allowed}"
        )
    inspector = Inspector(extension, wanted)
    key = new_key()
    form.object_keys.append(key)
    async with objects.writing(key) as write:
        async for block in _blocks(part):
            if inspector.size + len(block) > limit:
                raise FileTooLarge(limit)
            await asyncio.to_thread(inspector.feed, block)
            await write(block)
        inspector.finish()
    return Received(
        original_name, filename, wanted.mime_type, inspector.size, inspector.checksum, object_key=key
    )


async def _blocks(part: Part) -> AsyncIterator[bytes]:
    """Bytes of the part in blocks of at least 256 KiB, each worth a system call."""
    pending = bytearray()
    async for data in part:
        pending += data
        if len(pending) >= _BLOCK_BYTES:
            yield bytes(pending)
            pending.clear()
    if pending:
        yield bytes(pending)
