"""Bulk takeover of files by imports, and its reversal: rows whose objects are complete."""

from collections.abc import Mapping
from typing import Final

from core.database.import_table import ImportTable, Kind
from features.files.cache import FILE_TAGS

_TAKEN: Final[Mapping[str, Kind]] = {
    "id": "text",
    "filename": "text",
    "original_name": "text",
    "mime_type": "text",
    "size_bytes": "integer",
    "checksum": "text",
    "object_key": "key",
    "description": "text",
    "idea_id": "text",
    "system_id": "text",
    "uploaded_by": "text",
    "is_public": "flag",
    "download_count": "counter",
    "created_at": "moment",
    "updated_at": "moment",
    "legacy": "verbatim",
}

TAKEOVER: Final = ImportTable(
    "files",
    "file",
    FILE_TAGS,
    _TAKEN,
    parents={"idea_id": "ideas", "system_id": "systems"},
    merged={
        "object_key": "CASE WHEN files.checksum = excluded.checksum THEN files.object_key "
        "ELSE excluded.object_key END",
        "download_count": "greatest(files.download_count, excluded.download_count)",
    },
    incidental=("updated_at", "legacy"),
)
