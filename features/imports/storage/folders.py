"""Folders of imports under `DATA_DIR/imports`, and when one may be removed.

Whoever works in a folder holds a shared lock on its `lock` file, which the kernel drops however the process
ends. So a folder without a lock holder and without a live job belongs to nobody and can go.
"""

import asyncio
import fcntl
import os
import shutil
import uuid
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

from core.processes import locked_at_once, open_lock
from features.imports.storage.writer import storing

SOURCE: Final = "source.json"
DIFFERENCES: Final = "differences.ndjson"
"""File of the differences that a comparison found, in the folder of its job."""
_LOCK: Final = "lock"
_INCOMING: Final = "incoming-"


class Folders:
    """Import folders of one `DATA_DIR`. Files are readable by their owner only."""

    def __init__(self, data_dir: Path) -> None:
        self._root = data_dir.absolute() / "imports"

    def of(self, job_id: str) -> Path:
        return self._root / str(uuid.UUID(job_id))

    @asynccontextmanager
    async def incoming(self) -> AsyncIterator[Path]:
        """New folder for an upload. Unless adopted, it is removed at the end of the block."""
        path = self._root / f"{_INCOMING}{uuid.uuid4()}"
        lock = await asyncio.to_thread(self._occupy, path)
        try:
            yield path
        finally:
            await asyncio.to_thread(shutil.rmtree, path, ignore_errors=True)
            os.close(lock)

    def adopt(self, incoming: Path, job_id: str) -> Path:
        """Rename the upload's folder to that of its job. Call it before the job row is committed."""
        target = self.of(job_id)
        incoming.rename(target)
        _sync_directory(self._root)
        return target

    @asynccontextmanager
    async def occupied(self, job_id: str) -> AsyncIterator[Path]:
        """Folder of a job, made when missing, locked against `sweep` until the block ends."""
        path = self.of(job_id)
        lock = await asyncio.to_thread(self._occupy, path)
        try:
            yield path
        finally:
            os.close(lock)

    def remove(self, job_id: str, keep: str | None = None) -> None:
        """Remove the folder; with a file to `keep`, only what else is in it: the next sweep has the rest."""
        folder = self.of(job_id)
        if keep is None or not (folder / keep).exists():
            shutil.rmtree(folder, ignore_errors=True)
            return
        for each in os.scandir(folder):
            if each.is_dir(follow_symlinks=False):
                shutil.rmtree(each, ignore_errors=True)
            elif each.name not in (keep, _LOCK):
                Path(each).unlink(missing_ok=True)

    def candidates(self) -> list[str]:
        """Names of all folders. Read them before asking which jobs live, or a new job counts as dead."""
        try:
            return [entry.name for entry in os.scandir(self._root) if entry.is_dir(follow_symlinks=False)]
        except FileNotFoundError:
            return []

    def with_file(self, candidates: Collection[str], name: str) -> list[str]:
        """Names of the folders that have the file."""
        return [folder for folder in candidates if (self._root / folder / name).is_file()]

    def sweep(self, candidates: Collection[str], live_jobs: Collection[str]) -> int:
        """Remove those folders that are not locked and belong to no live job; returns how many."""
        removed = 0
        for path in (self._root / name for name in candidates if name not in live_jobs):
            with suppress(FileNotFoundError), locked_at_once(path / _LOCK) as lock:
                if lock is not None:
                    shutil.rmtree(path, ignore_errors=True)
                    removed += 1
        return removed

    def _occupy(self, path: Path) -> int:
        def lock() -> int:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = open_lock(path / _LOCK)
            fcntl.flock(descriptor, fcntl.LOCK_SH)
            return descriptor

        return storing(lock)


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
