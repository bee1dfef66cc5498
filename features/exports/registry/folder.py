"""Folder that appears whole or not at all."""

import asyncio
import hashlib
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import BinaryIO, Final

from features.exports.errors import ExportNotStored, TargetUnusable

CONTENTS: Final = "files"
"""Folder of the files' bytes, in the exported one."""
_PARTIAL: Final = ".partial"
_UNUSABLE: Final = (FileNotFoundError, NotADirectoryError, PermissionError, FileExistsError)


class Folder:
    """Writer of a folder: `table` and `content`, then `finish`; `close` in any case. Most of it blocks."""

    def __init__(self, path: Path, job_id: str, token: int) -> None:
        """Raises TargetUnusable when there is something at the path other than an empty folder."""
        self._path, self._name = path, path.name
        self._partial = path.with_name(f".{path.name}.{job_id}.{token}{_PARTIAL}")
        self.bytes = 0
        try:
            if path.exists() and not (path.is_dir() and not any(path.iterdir())):
                what = "not empty" if path.is_dir() else "not a folder"
                raise TargetUnusable(f"{path.name} is {what}; name a folder that is empty or does not exist")
            for left in path.parent.glob(f".*.{job_id}.*{_PARTIAL}"):
                shutil.rmtree(left, ignore_errors=True)  # of earlier runs of this job, which have lost it
            self._partial.mkdir(mode=0o700)
        except OSError as error:
            raise self._problem(error) from error

    def restart(self) -> None:
        """Discard what was written."""
        shutil.rmtree(self._partial)
        self._partial.mkdir(mode=0o700)
        self.bytes = 0

    def table(self, table: str) -> BinaryIO:
        try:
            return (self._partial / f"{table}.csv").open("wb", buffering=1 << 20)
        except OSError as error:
            raise self._problem(error) from error

    def write(self, file: BinaryIO, data: bytes) -> None:
        try:
            file.write(data)
        except OSError as error:
            raise self._problem(error) from error
        self.bytes += len(data)

    async def content(
        self, path: str, file_id: str, blocks: AsyncIterator[bytes], checksum: str
    ) -> str | None:
        """Write a file's bytes where the old path says, or below its id when other bytes are there. Returns
        its path below the folder of contents; None if the bytes are not those of the checksum.
        """
        parts = [part for part in path.replace("\\", "/").split("/") if part not in ("", ".")]
        while ".." in parts:
            parts = parts[parts.index("..") + 1 :]
        wanted = (self._partial / CONTENTS).joinpath(*parts)
        if await asyncio.to_thread(_has, wanted, checksum):  # two rows may name one file
            return "/".join(parts)
        fallback = [hashlib.sha256(file_id.encode()).hexdigest()[:32], (parts or ["file"])[-1]]
        at = await asyncio.to_thread(self._place, parts, fallback)
        digest = hashlib.sha256()
        try:
            with at.open("wb") as file:
                async for block in blocks:
                    digest.update(block)
                    await asyncio.to_thread(file.write, block)
                    self.bytes += len(block)
        except OSError as error:
            raise self._problem(error) from error
        if digest.hexdigest() != checksum:
            await asyncio.to_thread(at.unlink)
            return None
        return str(at.relative_to(self._partial / CONTENTS))

    def finish(self, mode: int) -> None:
        """Sync, and give the folder its name."""
        try:
            self._partial.chmod(mode)
            for place in (*self._partial.glob("*.csv"), self._partial):
                _sync(place)
            self._partial.rename(self._path)
            _sync(self._path.parent)
        except OSError as error:
            raise self._problem(error) from error

    def close(self) -> None:
        shutil.rmtree(self._partial, ignore_errors=True)

    def _place(self, parts: list[str], fallback: list[str]) -> Path:
        for choice in (parts, fallback, [fallback[0], "file"]):
            at = (self._partial / CONTENTS).joinpath(*choice)
            try:
                at.parent.mkdir(parents=True, exist_ok=True)
                if choice and not at.exists():
                    at.touch()
                    return at
            except OSError:
                continue  # a name that this file system does not take, or a file where a folder should be
        raise ExportNotStored(f"{self._name} cannot take the file {'/'.join(parts)}")

    def _problem(self, error: OSError) -> TargetUnusable | ExportNotStored:
        sentence = f"{self._name} cannot be written: {os.strerror(error.errno or 0)}"
        return TargetUnusable(sentence) if isinstance(error, _UNUSABLE) else ExportNotStored(sentence)


def _has(path: Path, checksum: str) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == checksum


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
