"""Takeover of an old registry's files: any content is taken, with the type that it really has.

What upload would refuse must not be lost here: an unknown extension, a content that disagrees with it, an
empty or a very large file. Such a file gets the type of plain bytes, and every file is served as an
attachment.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterator
from typing import BinaryIO, Final
from uuid import UUID, uuid5

from core.settings import Settings
from features.files.errors import FileRefused
from features.files.schemas import LocalContent, StoredContent
from features.files.storage.formats import FORMATS
from features.files.storage.inspection import Inspector
from features.files.storage.names import extension_of
from features.files.storage.objects import Objects

PLAIN_BYTES: Final = "application/octet-stream"
LARGEST_FILE: Final = 2**31 - 1
"""Upper bound of a file's size in bytes: that of the column."""

_BLOCK_BYTES: Final = 256 * 1024


def identify(name: str, file: BinaryIO) -> LocalContent:
    """Checksum, size and type of a file, which is read whole. Blocking."""
    extension = extension_of(name)
    wanted = FORMATS.get(extension)
    inspector = None if wanted is None else Inspector(extension, wanted)
    checksum = hashlib.sha256()
    size = 0
    for block in _blocks(file):
        checksum.update(block)
        size += len(block)
        if inspector is not None and not _agrees(inspector, block):
            inspector = None
    if inspector is not None and not _agrees(inspector, None):
        inspector = None
    mime_type = PLAIN_BYTES if inspector is None or wanted is None else wanted.mime_type
    return LocalContent(checksum.hexdigest(), size, mime_type)


def key_for(job_id: str, file_id: str) -> str:
    """Object key of an imported file, the same in a resumed import, so that nothing is stored twice."""
    key = str(uuid5(UUID(job_id), file_id))
    return f"{key[:2]}/{key}"


async def store(settings: Settings, key: str, file: BinaryIO) -> str:
    """Copy the file's bytes into the store; returns their SHA-256. Raises StorageUnavailable."""
    checksum = hashlib.sha256()
    async with Objects(settings).writing(key) as write:
        while block := await asyncio.to_thread(file.read, _BLOCK_BYTES):
            checksum.update(block)
            await write(block)
    return checksum.hexdigest()


async def content_of(settings: Settings, content: StoredContent) -> AsyncIterator[bytes] | None:
    """Bytes of a file in pieces; None if the store does not have that many under its key."""
    return await Objects(settings).read(content.object_key, content.size, 0, content.size)


async def holds(settings: Settings, content: StoredContent) -> bool:
    """True if the store has these bytes; all of them are read."""
    blocks = await content_of(settings, content)
    if blocks is None:
        return False
    checksum = hashlib.sha256()
    async for block in blocks:
        checksum.update(block)
    return checksum.hexdigest() == content.checksum


async def discard(settings: Settings, key: str) -> None:
    """Remove an object; a missing one is no error."""
    await Objects(settings).remove(key)


def _blocks(file: BinaryIO) -> Iterator[bytes]:
    while block := file.read(_BLOCK_BYTES):
        yield block


def _agrees(inspector: Inspector, block: bytes | None) -> bool:
    try:
        inspector.finish() if block is None else inspector.feed(block)
    except FileRefused:
        return False
    return True
