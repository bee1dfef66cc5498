"""Lookup of old files' bytes in a folder, which it never leaves.

The old registry knows paths of its own machine (`/srv/app/uploads/2024/a.pdf`); the folder that is given may
be any part of that tree. So the longest end of the path that is in the folder is the file. Every part is
opened from the folder before it, and a symbolic link is never followed.
"""

import os
import re
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, Final

from features.imports.errors import SourceUnavailable

_UNUSABLE: Final = frozenset({"", "."})


class NoContent(Exception):
    """No bytes for a file; the message says why."""


class ContentFolder:
    """Folder with the bytes of files, open by descriptor. Close it in the end."""

    def __init__(self, folder: Path) -> None:
        try:
            self._folder = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise SourceUnavailable(f"The folder of files cannot be read: {error.strerror}") from error

    def open(self, path: str | None, filename: str | None) -> BinaryIO:
        """Open the file that `path` names, or else the one called `filename`. Blocking. Raises NoContent."""
        problem = "is not in the folder of files"
        for parts in _candidates(path, filename):
            try:
                return self._open(parts)
            except (FileNotFoundError, NotADirectoryError):
                continue
            except NoContent as error:
                problem = str(error)
            except (OSError, ValueError) as error:
                problem = f"cannot be read: {getattr(error, 'strerror', None) or 'not a file name'}"
        raise NoContent(problem)

    def close(self) -> None:
        os.close(self._folder)

    def _open(self, parts: list[str]) -> BinaryIO:
        folder = os.dup(self._folder)
        try:
            for part in parts[:-1]:
                below = _open_at(folder, part, os.O_DIRECTORY)
                os.close(folder)
                folder = below
            # Without O_NONBLOCK, opening a pipe would wait for ever.
            file = _open_at(folder, parts[-1], os.O_NONBLOCK)
        finally:
            os.close(folder)
        if not stat.S_ISREG(os.fstat(file).st_mode):
            os.close(file)
            raise NoContent("is not a regular file")
        return os.fdopen(file, "rb")


def open_content(folder: ContentFolder, values: Mapping[str, object]) -> BinaryIO:
    """Open the bytes of a file by the path and name in the old row. Raises NoContent."""
    path = values.get("storage_path") or values.get("file_path")
    name = values.get("stored_name") or values.get("filename")
    return folder.open(None if path is None else str(path), None if name is None else str(name))


def _open_at(folder: int, name: str, flags: int) -> int:
    if stat.S_ISLNK(os.lstat(name, dir_fd=folder).st_mode):
        raise NoContent("is a symbolic link, which is not followed")
    return os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | flags, dir_fd=folder)


def _candidates(path: str | None, filename: str | None) -> Iterator[list[str]]:
    """Candidate paths in parts, longer ends first. What precedes the last `..` cannot be part of any."""
    parts = [part for part in re.split(r"[/\\]", path or "") if part not in _UNUSABLE]
    while ".." in parts:
        parts = parts[parts.index("..") + 1 :]
    for start in range(len(parts)):
        yield parts[start:]
    name = [part for part in re.split(r"[/\\]", filename or "") if part not in _UNUSABLE][-1:]
    if name and name != [".."] and name != parts[-1:]:
        yield name
