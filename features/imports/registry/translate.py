"""Translation of old rows to new ones: which column becomes which, and which old word means which new one.

The words and their translations are those of the three schemas that the old services had.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, get_args

from core.database.import_table import Value
from features.audit import api as audit
from features.files import api as files
from features.ideas import api as ideas
from features.imports.registry.values import Old
from features.systems import api as systems

SYSTEM_STATUS: Final = {"error": "degraded", "unknown": "planned"}
IDEA_STATUS: Final = {
    "backlog": "new",
    "todo": "triage",
    "done": "completed",
    "cancelled": "rejected",
}
IDEA_PRIORITY: Final = {"urgent": "critical"}
IDEA_CATEGORY: Final = {
    "new_feature": "automation",
    "improvement": "docs",
    "bug_fix": "api",
    "content": "docs",
    "structure": "infrastructure",
    "guide": "docs",
    "reference": "docs",
    "tutorial": "docs",
}
ACTION: Final[Mapping[str, audit.Action]] = {
    "create": "created",
    "update": "updated",
    "delete": "deleted",
}
NOBODY: Final = "anonymous"

_JSON_LENGTH: Final = 1 << 20
_ACTOR_LENGTH: Final = 128
_HOURS: Final = (1, 1000)
_WORKED_HOURS: Final = (0, 10_000)
_PORTS: Final = (1, 65_535)
_ENTITY_LENGTH: Final = 64
_ENTITY_ID_LENGTH: Final = 512


@dataclass(slots=True)
class Candidate:
    """Row being translated. `old` keeps the source's values until the row is written."""

    position: int
    values: Mapping[str, object]
    old: Old
    row: dict[str, Value] = field(default_factory=dict)
    renamed: int = 0

    @property
    def id(self) -> str:
        return str(next(iter(self.row.values())))

    def unlink(self, column: str) -> None:
        """Remove a link to a row that does not exist; the id that it named stays in `legacy`."""
        self.row[column] = None
        self.old.adapt(column)

    def rename(self) -> None:
        """Rename a system whose name another one has: append its id, or a number too when called again. The
        old name stays in `legacy`.
        """
        self.renamed += 1
        suffix = f" ({self.id})" if self.renamed == 1 else f" ({self.id}, {self.renamed})"
        self.row["name"] = str(self.values["name"])[: systems.STORED_NAME_LENGTH - len(suffix)] + suffix
        self.old.adapt("name")

    def finished(self) -> dict[str, Value]:
        return {**self.row, "legacy": self.old.legacy()}


def system_row(old: Old) -> dict[str, Value]:
    return {
        "id": old.text("id", most=systems.ID_LENGTH, required=True),
        "name": old.text("name", most=systems.STORED_NAME_LENGTH, required=True),
        "description": old.text("description", most=systems.DESCRIPTION_LENGTH),
        "status": old.word("status", get_args(systems.Status), SYSTEM_STATUS, default="planned"),
        "port": old.integer("port", least=_PORTS[0], most=_PORTS[1]),
        "tags": old.texts("tags"),
        "type": old.optional_word("type", get_args(systems.SystemType)),
        "url": _url(old),
        "owner": old.text("owner", most=systems.WORD_LENGTH),
        "version": old.text("version", most=systems.WORD_LENGTH),
        "metadata": old.members("metadata"),
        "icon": old.text("icon", most=_JSON_LENGTH),
        "color": old.text("color", most=_JSON_LENGTH),
        "host": old.text("host", most=_JSON_LENGTH),
        "last_checked": old.moment("last_checked"),
        "response_time_ms": old.integer("response_time_ms"),
        **_times(old),
    }


def idea_row(old: Old) -> dict[str, Value]:
    low, high = _HOURS
    row: dict[str, Value] = {
        "id": old.text("id", most=ideas.ID_LENGTH, required=True),
        "title": old.text("title", most=ideas.STORED_TITLE_LENGTH, required=True),
        "description": old.text("description", most=ideas.DESCRIPTION_LENGTH),
        "status": old.word("status", get_args(ideas.Status), IDEA_STATUS, default="new"),
        "category": old.word("category", get_args(ideas.Category), IDEA_CATEGORY, default="docs"),
        "priority": old.word("priority", get_args(ideas.Priority), IDEA_PRIORITY, default="medium"),
        "tags": old.texts("tags"),
        "system_id": old.text("system_id", most=systems.ID_LENGTH),
        "assigned_to": old.text("assigned_to", most=ideas.PERSON_LENGTH),
        "created_by": old.text("created_by", most=ideas.PERSON_LENGTH),
        "estimated_hours": old.real("estimated_hours", least=low, most=high),
        "actual_hours": old.real("actual_hours", least=_WORKED_HOURS[0], most=_WORKED_HOURS[1]),
        "due_date": old.moment("due_date"),
        "completed_at": old.moment("completed_at"),
        **_times(old),
    }
    if row["status"] != "completed":
        if row["completed_at"] is not None:
            old.adapt("completed_at")
        row["completed_at"] = None
    elif row["completed_at"] is None:
        old.adapt("completed_at")
        row["completed_at"] = row["updated_at"] or row["created_at"]
    return row


def file_row(old: Old) -> dict[str, Value]:
    """Row of a file without what only its bytes can tell: type, size, checksum, object key."""
    column = "stored_name" if "stored_name" in old else "filename"
    sent = old.text("original_name", most=files.ORIGINAL_LENGTH)
    name = old.text(column, most=files.ORIGINAL_LENGTH) or sent
    if name is None:
        old.fault(column, "is required")
    safe, shown = files.safe_name(name or ""), files.shown_name(sent or name or "")
    if safe != name:
        old.keep(column)
    if shown != sent:
        old.keep("original_name")
    uploaded_by = old.text("uploaded_by", most=_ACTOR_LENGTH)
    if uploaded_by is None:
        old.adapt("uploaded_by")
    return {
        "id": old.text("id", most=files.ID_LENGTH, required=True),
        "filename": safe,
        "original_name": shown,
        "description": old.text("description", most=_JSON_LENGTH),
        "idea_id": old.text("idea_id", most=ideas.ID_LENGTH),
        "system_id": old.text("system_id", most=systems.ID_LENGTH),
        "uploaded_by": uploaded_by or NOBODY,
        "is_public": old.flag("is_public"),
        "download_count": old.integer("download_count") or 0,
        **_times(old),
    }


def entry_row(old: Old) -> dict[str, Value]:
    """Entry of the audit log. Its changes stay as they are; `user_agent` has no column here."""
    column = "ts" if "ts" in old else "created_at"
    at = old.moment(column)
    if at is None:
        old.fault(column, "is required, as an ISO 8601 timestamp")
    actor = old.text("user_id", most=_ACTOR_LENGTH)
    if actor is None:
        old.keep("user_id")
    return {
        "legacy_id": old.text("id", most=_ENTITY_ID_LENGTH, required=True),
        "entity": old.text("entity_type", most=_ENTITY_LENGTH, required=True),
        "entity_id": old.text("entity_id", most=_ENTITY_ID_LENGTH, required=True),
        "action": old.word("action", (), ACTION, default=None),
        "actor": actor or NOBODY,
        "client": old.text("ip_address", most=_ACTOR_LENGTH),
        "changes": old.members("changes") or {},
        "at": at,
    }


def _times(old: Old) -> dict[str, Value]:
    """Times of creation and update. Without the former, that of the row's version counts."""
    column = "uploaded_at" if "uploaded_at" in old else "created_at"
    created_at = old.moment(column)
    if created_at is None:
        old.adapt(column)
        created_at = old.moment_beside("ts") or old.moment_beside("designated_timestamp")
        if created_at is None:
            old.fault(column, "is required, as an ISO 8601 timestamp")
    return {"created_at": created_at, "updated_at": old.moment("updated_at")}


def _url(old: Old) -> str | None:
    url = old.text("url", most=systems.URL_LENGTH)
    if url is not None and systems.fault_of_url(url) is not None:
        old.adapt("url")
        return None
    return url
