"""Names of files: the client's name for display, and one that is safe on any system for downloads."""

import re
import unicodedata
from pathlib import PurePosixPath
from typing import Final

ORIGINAL_LENGTH: Final = 1024
FILENAME_BYTES: Final = 255
NAMELESS: Final = "file"

# Joiners shape letters and emoji; the other invisible characters (right-to-left override) only deceive.
_JOINERS: Final = "\u200c\u200d"
_INVISIBLE: Final = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"})
_DEVICES: Final = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\.|$)", re.IGNORECASE)


def shown_name(sent: str) -> str:
    """Name as the client gave it, without control characters."""
    kept = "".join(each for each in sent if unicodedata.category(each) not in ("Cc", "Cs"))
    return kept[:ORIGINAL_LENGTH] or NAMELESS


def safe_name(sent: str) -> str:
    """Base name, safe on any file system: no separators, no invisible characters, nothing that a system
    reserves, at most 255 bytes of UTF-8, its extension kept.
    """
    last = re.split(r"[/\\]", sent)[-1]
    visible = "".join(
        each for each in unicodedata.normalize("NFC", last) if each in _JOINERS or _is_visible(each)
    )
    name = re.sub(r"\s+", " ", re.sub(r'[<>:"|?*]', "_", visible)).strip(" .")
    if last.lstrip().startswith(".") and "." not in name:
        # Of ".png" nothing would be left but its extension.
        name = f"{NAMELESS}.{name}"
    if _DEVICES.match(name):
        name = f"_{name}"
    return _shortened(name or NAMELESS)


def extension_of(name: str) -> str:
    """Extension in lower case, with its dot; empty when there is none."""
    return PurePosixPath(name).suffix.lower()


def _is_visible(character: str) -> bool:
    return unicodedata.category(character) not in _INVISIBLE


def _shortened(name: str) -> str:
    if len(name.encode()) <= FILENAME_BYTES:
        return name
    extension = PurePosixPath(name).suffix
    if len(extension.encode()) > 16:
        extension = ""
    stem = name.removesuffix(extension).encode()[: FILENAME_BYTES - len(extension.encode())]
    return stem.decode("utf-8", "ignore") + extension
