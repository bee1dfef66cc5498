"""Documents of markdown files in the configured folder. Their text is by strangers: nothing in it is trusted
but the title and type that it gives itself.
"""

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final, cast
from urllib.parse import quote

import structlog
import yaml

from features.search.schemas import BODY_LENGTH, TITLE_LENGTH, Document, DocumentType

MAX_BYTES: Final = 1024 * 1024
SUFFIXES: Final = frozenset({".md", ".markdown"})
DEFAULT_TYPE: Final[DocumentType] = "guide"
_TYPES: Final = frozenset({"guide", "adr", "template", "diagram"})
_FOLDERS: Final = {
    "guide": "guide",
    "guides": "guide",
    "adr": "adr",
    "adrs": "adr",
    "decisions": "adr",
    "template": "template",
    "templates": "template",
    "diagram": "diagram",
    "diagrams": "diagram",
}
# Longer ones are no front matter but text between two rules.
_FRONT_MATTER: Final = re.compile(
    r"\A---[ \t]*\r?\n(.{0,16384}?)^---[ \t]*(?:\r?\n|\Z)", re.DOTALL | re.MULTILINE
)
_HEADING: Final = re.compile(r"^#{1,6}[ \t]+(\S.*?)[ \t]*#*[ \t]*$", re.MULTILINE)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Found:
    """Markdown file of the folder: `path` is relative to it, `real` is its resolved path."""

    path: PurePosixPath
    real: Path
    size: int
    changed_ns: int


def files_of(folder: Path) -> Iterator[Found]:
    """Readable markdown files, in a steady order. Blocking; a skipped file is logged with the reason."""
    root = folder.resolve()
    waiting = [root]
    while waiting:
        current = waiting.pop()
        for entry in sorted(os.scandir(current), key=lambda each: each.name):
            path = PurePosixPath(Path(entry.path).relative_to(root).as_posix())
            if entry.is_dir(follow_symlinks=False):
                if not entry.name.startswith("."):
                    waiting.append(Path(entry.path))
            elif path.suffix.lower() in SUFFIXES or entry.is_symlink():
                found = _file(root, path, Path(entry.path))
                if isinstance(found, Found):
                    yield found
                elif found is not None:
                    log.warning("search.document_skipped", path=repr(str(path))[:300], reason=found)


def _file(root: Path, path: PurePosixPath, place: Path) -> Found | str | None:
    """The file, or the reason why it is skipped; None if it is no markdown file anyway."""
    try:
        real = place.resolve(strict=True)
        status = real.stat()
    except (OSError, RuntimeError):
        return "cannot be read"
    if not real.is_relative_to(root):
        return "leads out of the folder"
    if stat.S_ISDIR(status.st_mode):
        return "is a link to a folder"
    if path.suffix.lower() not in SUFFIXES:
        return None
    if not stat.S_ISREG(status.st_mode):
        return "is not a regular file"
    if status.st_size > MAX_BYTES:
        return f"is larger than {MAX_BYTES} bytes"
    if not str(path).isprintable():
        return "has a name that cannot be shown"
    return Found(path, real, status.st_size, status.st_mtime_ns)


def read(found: Found) -> Document | None:
    """Document of the file; None if it was removed or replaced since it was found. Blocking."""
    try:
        # What is a link or a pipe by now is neither followed nor waited for.
        descriptor = os.open(found.real, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise OSError("not a regular file")
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        log.warning("search.document_skipped", path=str(found.path), reason=error.strerror or str(error))
        return None
    if len(content) > MAX_BYTES:
        log.warning(
            "search.document_skipped", path=str(found.path), reason=f"is larger than {MAX_BYTES} bytes"
        )
        return None
    document_id = f"markdown:{found.path}"
    title, kind, body = outline(text_of(content), found.path)
    return Document(
        id=document_id,
        source="markdown",
        type=kind,
        title=title,
        body=body,
        link=f"/api/v1/search/documents/{quote(document_id, safe='/:')}",
    )


def text_of(content: bytes) -> str:
    """Content as text that the database can store."""
    return content.decode("utf-8-sig", "replace").replace("\0", "\ufffd")


def outline(text: str, path: PurePosixPath) -> tuple[str, DocumentType, str]:
    """Title, type and body: from the front matter, else from the first heading and the folders' names."""
    match = _FRONT_MATTER.match(text)
    matter = _matter(match[1]) if match else {}
    body = text[match.end() :] if match else text
    heading = _HEADING.search(body[:BODY_LENGTH])
    title = matter.get("title") or (heading[1] if heading else "") or path.stem
    kind = matter.get("type", "").lower()
    if kind not in _TYPES:
        named = (_FOLDERS.get(part.lower()) for part in reversed(path.parts[:-1]))
        kind = next((each for each in named if each), DEFAULT_TYPE)
    return " ".join(title.split())[:TITLE_LENGTH], cast(DocumentType, kind), body.strip()[:BODY_LENGTH]


def _matter(text: str) -> dict[str, str]:
    """Entries of the front matter that are plain text; none if it is not YAML after all."""
    try:
        loaded = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError):
        return {}
    if not isinstance(loaded, dict):
        return {}
    return {key: value for key, value in loaded.items() if isinstance(key, str) and isinstance(value, str)}
