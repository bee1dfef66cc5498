"""Takeover of an old audit log's entries in whole batches: each is added once, by its id in the old log, and
never changed.
"""

from typing import Final

from core.database.import_table import ImportTable
from features.audit.cache import AUDIT_TAGS
from features.audit.schemas import RETENTION_ENTITY

TAKEOVER: Final = ImportTable(
    "audit_entries",
    RETENTION_ENTITY,
    AUDIT_TAGS,
    {
        "legacy_id": "text",
        "entity": "text",
        "entity_id": "text",
        "action": "text",
        "actor": "text",
        "client": "text",
        "changes": "object",
        "at": "moment",
        "legacy": "verbatim",
    },
    version=None,
)
