"""Object store: a local folder by default, a bucket by FILES_URL. Objects appear whole or not at all."""

import asyncio
import os
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit
from uuid import uuid4

import obstore
import structlog
from obstore.exceptions import BaseError
from obstore.store import LocalStore, from_url

from core.settings import Settings
from features.files.errors import StorageUnavailable
from features.files.settings import FileSettings

READ_BYTES: Final = 256 * 1024
_LOCAL_BUFFER: Final = 1024 * 1024
# The smallest part that S3 accepts.
_PART_BYTES: Final = 5 * 1024 * 1024
_LIST_CHUNK: Final = 1000
_KEY: Final = re.compile(r"[0-9a-f]{2}/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")

log = structlog.get_logger(__name__)
Write = Callable[[bytes], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class StoredObject:
    """Listed object. `modified` is by the clock of the store."""

    key: str
    size: int
    modified: datetime


def new_key() -> str:
    """Random key, spread over 256 folders: nothing that a client sends becomes part of it."""
    key = str(uuid4())
    return f"{key[:2]}/{key}"


def is_key(key: str) -> bool:
    """True if the key has our form: a bucket may hold other things."""
    return _KEY.fullmatch(key) is not None


class Objects:
    """Object store. Every method raises StorageUnavailable if it cannot be reached, read or written."""

    def __init__(self, settings: Settings) -> None:
        url = settings.of(FileSettings).files_url
        folder = settings.data_dir / "files"
        if url is not None and urlsplit(url).scheme == "file":
            folder, url = Path(unquote(urlsplit(url).path)), None
        self._folder = folder if url is None else None
        with _reachable():
            if url is None:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._store = LocalStore(folder) if url is None else _bucket(url)
        self._buffer = _LOCAL_BUFFER if url is None else _PART_BYTES

    @asynccontextmanager
    async def writing(self, key: str) -> AsyncIterator[Write]:
        """Writer of an object, which appears under its key when the block ends, and not at all when it
        raises. In a local folder it is its owner's alone, whatever the umask.
        """
        with _reachable():
            if self._folder is not None:
                (self._folder / key).parent.mkdir(mode=0o700, exist_ok=True)
            writer = obstore.open_writer_async(self._store, key, buffer_size=self._buffer, max_concurrency=1)

        async def write(data: bytes) -> None:
            with _reachable():
                await writer.write(data)

        try:
            yield write
        except BaseException as error:
            await asyncio.shield(_abort(writer, error))
            raise
        with _reachable():
            await writer.close()
            if self._folder is not None:
                await asyncio.to_thread(_finish, self._folder / key)

    async def read(self, key: str, size: int, start: int, end: int) -> AsyncIterator[bytes] | None:
        """Bytes from `start` up to, not including, `end`; None if there is no such object of that size. The
        iterator raises StorageUnavailable when the store fails in the middle.
        """
        if start == end:
            # The store takes an empty range for a wrong one.
            return _nothing() if await self.size_of(key) == size else None
        with _reachable():
            try:
                found = await obstore.get_async(self._store, key, options={"range": (start, end)})
            except FileNotFoundError:
                return None
            return _blocks(found) if found.meta["size"] == size else None

    async def size_of(self, key: str) -> int | None:
        with _reachable():
            try:
                return (await obstore.head_async(self._store, key))["size"]
            except FileNotFoundError:
                return None

    async def remove(self, key: str) -> None:
        """Remove an object; a missing one is no error."""
        with _reachable():
            try:
                await obstore.delete_async(self._store, key)
            except FileNotFoundError:
                return

    async def list(self) -> AsyncIterator[list[StoredObject]]:
        """All objects, in batches; also those that are not ours."""
        with _reachable():
            async for batch in obstore.list(self._store, chunk_size=_LIST_CHUNK):
                yield [StoredObject(each["path"], each["size"], each["last_modified"]) for each in batch]

    async def remove_unfinished(self, older_than: timedelta) -> int:
        """Remove partial objects of writers that were killed; returns how many. A bucket does this by a rule
        of its own.
        """
        if self._folder is None:
            return 0
        with _reachable():
            return await asyncio.to_thread(_remove_staged, self._folder, older_than)


@contextmanager
def _reachable() -> Iterator[None]:
    """Turn errors of the store into StorageUnavailable; their text, with paths and hosts, is only logged."""
    try:
        yield
    except (OSError, BaseError) as error:
        log.warning("files.storage_failed", error=type(error).__name__, reason=str(error).split("\n", 1)[0])
        raise StorageUnavailable("Files cannot be stored or read at the moment; try again later") from error


@lru_cache(maxsize=4)
def _bucket(url: str) -> "obstore.store.ObjectStore":
    """Client of a bucket, with limits of its own: the defaults would retry for three minutes."""
    return from_url(
        url,
        client_options={
            "allow_http": True,
            "connect_timeout": timedelta(seconds=5),
            "read_timeout": timedelta(seconds=30),
            "timeout": timedelta(minutes=10),
        },
        retry_config={"max_retries": 3, "retry_timeout": timedelta(seconds=20)},
    )


async def _abort(writer: "obstore.AsyncWritableFile", reason: BaseException) -> None:
    """Abort a writer: leaving it with an error removes what it has written so far."""
    try:
        await writer.__aexit__(type(reason), reason, reason.__traceback__)
    except (OSError, BaseError) as error:
        log.warning("files.abort_failed", error=type(error).__name__)


async def _blocks(found: "obstore.GetResult") -> AsyncIterator[bytes]:
    with _reachable():
        async for block in found.stream(min_chunk_size=READ_BYTES):
            yield bytes(block)


async def _nothing() -> AsyncIterator[bytes]:
    none: tuple[bytes, ...] = ()
    for block in none:
        yield block


def _finish(path: Path) -> None:
    """Make the object private and sync it, so that it outlives a power cut as its row will."""
    path.chmod(0o600)
    for name, flags in ((path, os.O_RDONLY), (path.parent, os.O_RDONLY | os.O_DIRECTORY)):
        descriptor = os.open(name, flags)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _remove_staged(folder: Path, older_than: timedelta) -> int:
    """Remove partial local objects, named after the object with # and a number; returns how many."""
    removed = 0
    newest = time.time() - older_than.total_seconds()
    for path in folder.glob("[0-9a-f][0-9a-f]/*#*"):
        key = f"{path.parent.name}/{path.name.partition('#')[0]}"
        try:
            if is_key(key) and path.stat().st_mtime < newest:
                path.unlink()
                removed += 1
        except FileNotFoundError:
            continue
    return removed
