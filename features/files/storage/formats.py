"""Allowed formats by extension, and how their content is recognized.

A file's type is that of its extension, and its content must agree. Signatures decide for binary formats; a
text format must be text from its first byte to its last and must not begin as a page or as an image.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import puremagic

HEAD_BYTES: Final = 16 * 1024
"""Length of a file's beginning that is inspected, in bytes."""

_OFFICE: Final = "application/vnd.openxmlformats-officedocument"
_UNKNOWN: Final = "unknown binary data"


def _begins(pattern: bytes) -> "re.Pattern[bytes]":
    return re.compile(pattern, re.DOTALL)


_ZIP: Final = _begins(rb"PK(\x03\x04|\x05\x06)")
_OLE: Final = _begins(rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")


@dataclass(frozen=True, slots=True)
class Binary:
    """Signature of a binary content: its beginning, and marks, all of which occur somewhere in it."""

    begins: "re.Pattern[bytes]"
    marks: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Text:
    """Pattern of a text's first visible characters. `unicode`: UTF-8 only; `markup`: it begins with a tag."""

    begins: "re.Pattern[bytes] | None" = None
    unicode: bool = False
    markup: bool = False


@dataclass(frozen=True, slots=True)
class Format:
    """Stored media type, and the allowed content."""

    mime_type: str
    content: tuple[Binary, ...] | Text


def _signed(mime_type: str, begins: bytes) -> Format:
    return Format(mime_type, (Binary(_begins(begins)),))


def _office(kind: str, folder: bytes) -> Format:
    """Format of an Office document: a ZIP with certain entries; with a password it is inside an OLE file."""
    plain = Binary(_ZIP, (b"[Content_Types].xml", folder))
    return Format(f"{_OFFICE}.{kind}", (plain, Binary(_OLE, (_wide("EncryptedPackage"),))))


def _ole(mime_type: str, *streams: str) -> Format:
    return Format(mime_type, tuple(Binary(_OLE, (_wide(stream),)) for stream in streams))


def _wide(name: str) -> bytes:
    """Name of a stream in the encoding of an OLE file."""
    return name.encode("utf-16-le")


_SVG: Final = _begins(rb"<(?:!doctype\s+svg[\s>\[]|(?:\w+:)?svg[\s>/])")
_JPEG: Final = _signed("image/jpeg", rb"\xff\xd8\xff")
_MARKDOWN: Final = Format("text/markdown", Text())
_YAML: Final = Format("application/yaml", Text(unicode=True))

FORMATS: Final[Mapping[str, Format]] = {
    ".pdf": _signed("application/pdf", rb"%PDF-"),
    ".doc": _ole("application/msword", "WordDocument"),
    ".docx": _office("wordprocessingml.document", b"word/"),
    ".xls": _ole("application/vnd.ms-excel", "Workbook", "Book"),
    ".xlsx": _office("spreadsheetml.sheet", b"xl/"),
    ".ppt": _ole("application/vnd.ms-powerpoint", "PowerPoint Document"),
    ".pptx": _office("presentationml.presentation", b"ppt/"),
    ".txt": Format("text/plain", Text()),
    ".md": _MARKDOWN,
    ".markdown": _MARKDOWN,
    ".jpg": _JPEG,
    ".jpeg": _JPEG,
    ".png": _signed("image/png", rb"\x89PNG\r\n\x1a\n"),
    ".gif": _signed("image/gif", rb"GIF8[79]a"),
    ".svg": Format("image/svg+xml", Text(_SVG, markup=True)),
    ".webp": _signed("image/webp", rb"RIFF.{4}WEBP"),
    ".json": Format("application/json", Text(_begins(rb'[\[{"\-0-9tfn]'), unicode=True)),
    ".xml": Format("application/xml", Text(_begins(rb"<[!a-z_:\x80-\xff]"), markup=True)),
    ".csv": Format("text/csv", Text()),
    ".yaml": _YAML,
    ".yml": _YAML,
    ".zip": Format("application/zip", (Binary(_ZIP),)),
    ".rar": _signed("application/vnd.rar", rb"Rar!\x1a\x07(?:\x00|\x01\x00)"),
}
"""Formats in the order of the published upload-info."""

TEXT_TYPES: Final = frozenset(each.mime_type for each in FORMATS.values() if isinstance(each.content, Text))

_LEADING: Final = re.compile(rb"\s*(?:(?:<\?xml.*?\?>|<!--.*?-->)\s*)*", re.DOTALL)
_PAGE: Final = re.compile(rb"<(?:!doctype\s+html|(?:html|head|body|script|iframe)[\s>/])")


def first_tag(head: bytes) -> bytes:
    """Content of a text after white space, XML declaration and comments; in lower case."""
    found = _LEADING.match(head)
    return head[found.end() if found else 0 :].lower()


def looks_like(head: bytes) -> str:
    """Media type of a text by its first tag."""
    tag = first_tag(head)
    if _PAGE.match(tag):
        return "text/html"
    if _SVG.match(tag):
        return "image/svg+xml"
    return "application/xml" if head.lstrip().startswith(b"<?xml") else "text/plain"


def signed_type(head: bytes) -> str | None:
    """Media type of an allowed binary format by its signature alone, or None."""
    if _ZIP.match(head):
        return "application/zip"
    if _OLE.match(head):
        return "application/x-ole-storage"
    for each in FORMATS.values():
        if not isinstance(each.content, Text) and any(kind.begins.match(head) for kind in each.content):
            return each.mime_type
    return None


def name_of(head: bytes) -> str:
    """Media type of a binary content, for the message that refuses it."""
    if (signed := signed_type(head)) is not None:
        return signed
    try:
        return puremagic.from_string(head, mime=True) or _UNKNOWN
    except (puremagic.PureError, ValueError):
        return _UNKNOWN
