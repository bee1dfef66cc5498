"""Folder that appears whole or not at all."""

import asyncio
import hashlib
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import BinaryIO, Final

from features.exports.errors import ExportNotStored, TargetUnusable
from features.exports.targets.file import PARTIAL, Target, sync

CONTENTS: Final = "files"
"""Folder of the files' bytes, in the exported one."""


class FolderTarget(Target):
    """Writer of a folder: `table` and `content`."""

    def __init__(self, path: Path, owner: str, *, name: str | None = None) -> None:
        """Raises TargetUnusable when there is something at the path other than an empty folder."""
        super().__init__(path, owner, name=name)
        with self.writing():
            if path.exists() and not (path.is_dir() and not any(path.iterdir())):
                what = "not empty" if path.is_dir() else "not a folder"
                raise TargetUnusable(f"{self.name} is {what}; name a folder that is empty or does not exist")
            for left in path.parent.glob(f".*.{owner.partition('.')[0]}.*{PARTIAL}"):
                shutil.rmtree(left, ignore_errors=True)  # of earlier runs of this job, which have lost it
            self._begin()

    def restart(self) -> None:
        shutil.rmtree(self.partial)
        self._begin()
        self.bytes = 0

    def table(self, table: str) -> BinaryIO:
        with self.writing():
            return (self.partial / f"{table}.csv").open("wb", buffering=1 << 20)

    def write(self, file: BinaryIO, data: bytes) -> None:
        with self.writing():
            file.write(data)
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
        wanted = (self.partial / CONTENTS).joinpath(*parts)
        if await asyncio.to_thread(_has, wanted, checksum):  # two rows may name one file
            return "/".join(parts)
        fallback = [hashlib.sha256(file_id.encode()).hexdigest()[:32], (parts or ["file"])[-1]]
        at = await asyncio.to_thread(self._place, parts, fallback)
        digest = hashlib.sha256()
        with self.writing(), at.open("wb") as file:
            async for block in blocks:
                digest.update(block)
                await asyncio.to_thread(file.write, block)
                self.bytes += len(block)
        if digest.hexdigest() != checksum:
            await asyncio.to_thread(at.unlink)
            return None
        return str(at.relative_to(self.partial / CONTENTS))

    def seal(self, mode: int) -> None:
        self.partial.chmod(mode)
        for place in (*self.partial.glob("*.csv"), self.partial):
            sync(place)

    def close(self) -> None:
        shutil.rmtree(self.partial, ignore_errors=True)

    def _begin(self) -> None:
        """Without any file there is a folder of them too: an import asks for one."""
        self.partial.mkdir(mode=0o700)
        (self.partial / CONTENTS).mkdir()

    def _place(self, parts: list[str], fallback: list[str]) -> Path:
        for choice in (parts, fallback, [fallback[0], "file"]):
            at = (self.partial / CONTENTS).joinpath(*choice)
            try:
                at.parent.mkdir(parents=True, exist_ok=True)
                if choice and not at.exists():
                    at.touch()
                    return at
            except OSError:
                continue  # a name that this file system does not take, or a file where a folder should be
        raise ExportNotStored(f"{self.name} cannot take the file {'/'.join(parts)}")


def _has(path: Path, checksum: str) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == checksum
