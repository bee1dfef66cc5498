"""Documents of uploaded text files, read by `features.files.api`."""

import hashlib
import json
from pathlib import PurePosixPath
from typing import Final
from urllib.parse import quote

from core.settings import Settings
from features.files import api as files
from features.search.schemas import BODY_LENGTH, TITLE_LENGTH, Document
from features.search.sources.markdown import DEFAULT_TYPE, SUFFIXES, outline

# A character has at most four bytes; more than this is not searched.
_READ_BYTES: Final = 4 * BODY_LENGTH


def document_id(file_id: str) -> str:
    return f"upload:{file_id}"


def content_hash(file: files.IndexedFile) -> str:
    """Digest of everything that the document is made from, without reading the file: it has a checksum."""
    facts = [file.id, file.checksum, file.original_name, file.description, file.mime_type, file.owner]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


async def read(settings: Settings, file: files.IndexedFile) -> Document | None:
    """Document of the file; None if its content is missing. Raises StorageUnavailable."""
    try:
        text = "".join([piece async for piece in files.open_text(settings, file, limit=_READ_BYTES)])
    except files.ContentMissing:
        return None
    name = PurePosixPath(file.original_name.replace("\\", "/")).name or file.filename
    title, kind, body = name, DEFAULT_TYPE, text
    if PurePosixPath(name).suffix.lower() in SUFFIXES:
        title, kind, body = outline(text, PurePosixPath(name))
    about = [name, file.description, body]
    return Document(
        id=document_id(file.id),
        source="upload",
        type=kind,
        title=title[:TITLE_LENGTH],
        body="\n".join(line for line in about if line)[:BODY_LENGTH],
        link=f"/api/v1/files/{quote(file.id, safe='')}/download",
        owner=file.owner,
    )
