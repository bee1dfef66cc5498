"""ZIP file of an old registry, unpacked beside it: the CSV files of its tables, and the bytes of its files.

The tables lie in one folder of the archive, the bytes in the one other folder, wherever a person has packed
them. Nothing is written by a name that was not checked, and what comes out is counted as it comes: what an
archive says of itself may be wrong.
"""

import io
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterable
from itertools import takewhile
from pathlib import Path
from typing import Final, NoReturn

from core.errors import FieldError
from features.imports.errors import UploadInvalid, UploadTooLarge
from features.imports.registry.tables import TABLES
from features.imports.storage.writer import private, storing

MOST_ENTRIES: Final = 50_000
LARGEST_DIRECTORY: Final = 8 << 20
_DEEPEST: Final = 32
_LONGEST_NAME: Final = 255
_BLOCK: Final = 1 << 20
_UTF8: Final = 0x800
_ENCRYPTED: Final = 0x2041
"""Flags of an entry whose bytes, or whose name, are encrypted."""
_ASIDE: Final = frozenset({"__MACOSX", ".DS_Store", "Thumbs.db"})
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_FILES: Final = {f"{table}.csv" for table in TABLES}

Parts = tuple[str, ...]
Entries = dict[Parts, zipfile.ZipInfo]


class _Bounded(io.FileIO):
    """File of which only so much is read at once: `zipfile` takes the whole directory into memory."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > LARGEST_DIRECTORY:
            _refuse(f"has more than {MOST_ENTRIES:,} entries; pack fewer files into it")
        return super().read(LARGEST_DIRECTORY if size is None or size < 0 else size)


def unpack(archive: Path, folder: Path, limit: int) -> tuple[Path, Path | None]:
    """Folders of the tables and of the files' bytes (None: there are none), made in `folder`, with at most
    `limit` bytes in all. Blocks. Raises UploadInvalid, UploadTooLarge, StorageUnavailable.
    """
    try:
        with _Bounded(archive) as file, zipfile.ZipFile(file) as opened:
            entries = _checked(opened.infolist())
            if sum(info.file_size for info in entries.values()) > limit:
                raise _too_large(limit)
            left, places = limit, _placed(entries)
            for place, info in places.items():
                left = _copy(opened, info, folder / place, left, limit)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, struct.error, ValueError, OSError):
        with archive.open("rb") as broken:
            if broken.read(4) == b"PK\x03\x04":
                _refuse("ends too early or is damaged; pack it anew, and send it again")
            _refuse("is no ZIP file; pack the folder of the CSV files into one", "The file")
    has_files = any(place.parts[0] == "files" for place in places)
    return folder / "tables", folder / "files" if has_files else None


def _checked(found: Iterable[zipfile.ZipInfo]) -> Entries:
    """Files of the archive by the parts of their names."""
    entries: Entries = {}
    folders: set[Parts] = set()
    for info in found:
        parts = _parts(info)
        if info.is_dir() or not parts or _ASIDE.intersection(parts):
            continue
        if entries.setdefault(parts, info) is not info:
            _refuse(f"has {_shown('/'.join(parts))} twice; pack each file once")
        folders.update(parts[:depth] for depth in range(1, len(parts)))
        if len(entries) + len(folders) > MOST_ENTRIES:
            _refuse(f"has more than {MOST_ENTRIES:,} entries; pack fewer files into it")
    if both := sorted(folders & entries.keys()):
        _refuse(f"has {_shown('/'.join(both[0]))} as a file and as a folder; pack each file once")
    return entries


def _parts(info: zipfile.ZipInfo) -> Parts:
    """Parts of an entry's name, when it can be written below a folder."""
    name = _name(info)
    shown, parts = _shown(name), name.replace("\\", "/").rstrip("/").split("/")
    if info.flag_bits & _ENCRYPTED:
        _refuse("is encrypted; pack it without a password")
    if parts[0] == "" or re.match(r"[A-Za-z]:", name) or ".." in parts:
        _refuse(f"has the name {shown}, which leads out of it; pack the folder itself, without paths")
    if _CONTROL.search(name):
        _refuse(f"has the name {shown} with control characters; rename that file")
    if len(parts) > _DEEPEST or any(len(part.encode("utf-8", "replace")) > _LONGEST_NAME for part in parts):
        _refuse(f"has the name {shown}, which is too long; rename that file")
    if stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
        _refuse(f"has {shown}, a link or a device; pack the file that it leads to")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        _refuse(f"has {shown} in an unusual compression; pack it with the usual one (deflate)")
    return tuple(part for part in parts if part not in ("", "."))


def _name(info: zipfile.ZipInfo) -> str:
    """Name of an entry, with what `zipfile` cuts off. Some programs write UTF-8 without a word about it."""
    name = info.orig_filename
    if info.flag_bits & _UTF8 or name.isascii():
        return name
    try:
        return name.encode("cp437").decode()
    except UnicodeError:
        return name


def _placed(entries: Entries) -> dict[Path, zipfile.ZipInfo]:
    """Entries by where they go: below `tables`, or below `files`."""
    bases = sorted(
        {parts[:-1] for parts in entries if parts[-1] in _FILES}, key=lambda base: (len(base), base)
    )
    if not bases:
        _refuse(f"has none of {', '.join(sorted(_FILES))}; pack the folder of the CSV files into it")
    base, *others = bases
    if others and len(others[0]) == len(base):
        both = " and ".join(_shown("/".join(each)) for each in (base, others[0]))
        _refuse(f"has tables in {both}; pack those of one registry")
    places: dict[Path, zipfile.ZipInfo] = {}
    roots: set[Parts] = set()
    for parts, info in entries.items():
        shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(base, parts, strict=False)))
        if parts[:-1] == base and parts[-1] in _FILES:
            places[Path("tables", parts[-1])] = info
        elif len(parts) > shared + 1:
            roots.add(parts[: shared + 1])
            places[Path("files", *parts[shared + 1 :])] = info
    if len(roots) > 1:
        named = ", ".join(_shown("/".join(each)) for each in sorted(roots)[:5])
        _refuse(f"has several folders beside the tables ({named}); put the bytes of files into one")
    return places


def _copy(opened: zipfile.ZipFile, info: zipfile.ZipInfo, to: Path, left: int, limit: int) -> int:
    """Bytes that may come after this entry's."""
    storing(lambda: to.parent.mkdir(mode=0o700, parents=True, exist_ok=True))
    with opened.open(info) as source, storing(lambda: open(to, "xb", opener=private)) as target:
        while block := source.read(_BLOCK):
            if (left := left - len(block)) < 0:
                raise _too_large(limit)
            storing(lambda data=block: target.write(data))  # type: ignore[misc]
    return left


def _too_large(limit: int) -> UploadTooLarge:
    return UploadTooLarge(
        f"The ZIP file holds more than {limit} bytes; leave out what the registry does not need"
    )


def _refuse(problem: str, what: str = "The ZIP file") -> NoReturn:
    raise UploadInvalid(f"{what} {problem}", details=[FieldError("file", problem)])


def _shown(name: str) -> str:
    """Name for people, whatever is in it."""
    return ascii(name[:100]) if _CONTROL.search(name) else f'"{name[:100]}"'
