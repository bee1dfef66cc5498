"""Old rows become rows of ours: which column becomes which, and which old word means which new one."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, get_args

from core.database.bulk import Value
from core.outbound.url import fault_of_url
from features.files import api as files
from features.ideas import api as ideas
from features.imports.registry.schemas import FILES, IDEAS, SYSTEMS, Table
from features.imports.registry.values import Old
from features.systems import api as systems

SYSTEM_STATUS: Final = {"error": "degraded", "unknown": "planned"}
IDEA_STATUS: Final = {"backlog": "new", "todo": "triage", "done": "completed"}
IDEA_PRIORITY: Final = {"urgent": "critical"}
IDEA_CATEGORY: Final = {
    "new_feature": "automation",
    "improvement": "docs",
    "bug_fix": "api",
    "content": "docs",
    "structure": "infrastructure",
}
NOBODY: Final = "anonymous"

_JSON_LENGTH: Final = 1 << 20
_TAG_LENGTH: Final = 200
_ACTOR_LENGTH: Final = 128
_HOURS: Final = (1, 1000)
_WORKED_HOURS: Final = (0, 10_000)


@dataclass(slots=True)
class Candidate:
    """A row on its way. `old` remembers what becomes of the source's values until the row is written."""

    position: int
    values: Mapping[str, object]
    old: Old
    row: dict[str, Value] = field(default_factory=dict)

    @property
    def id(self) -> str:
        return str(self.row["id"])

    def unlink(self, column: str) -> None:
        """The row it refers to is not there: the link goes, the id that it named stays in `legacy`."""
        self.row[column] = None
        self.old.adapt(column)

    def finished(self) -> dict[str, Value]:
        return {**self.row, "legacy": self.old.legacy()}


def translate(table: Table, position: int, values: Mapping[str, object]) -> Candidate:
    """What cannot be a row has faults in `old`."""
    old = Old(values)
    return Candidate(position, values, old, _ROWS[table](old))


def _system(old: Old) -> dict[str, Value]:
    return {
        "id": old.text("id", most=systems.ID_LENGTH, required=True),
        "name": old.text("name", most=systems.NAME_LENGTH, required=True),
        "description": old.text("description", most=systems.DESCRIPTION_LENGTH, required=True),
        "status": old.word("status", get_args(systems.Status), SYSTEM_STATUS, default="planned"),
        "tags": old.texts("tags", most=systems.TAGS_PER_SYSTEM, longest=_TAG_LENGTH),
        "type": old.optional_word("type", get_args(systems.SystemType)),
        "url": _url(old),
        "owner": old.text("owner", most=systems.WORD_LENGTH),
        "version": old.text("version", most=systems.WORD_LENGTH),
        "metadata": old.members("metadata"),
        "last_checked": old.moment("last_checked"),
        "response_time_ms": old.integer("response_time_ms"),
        **_times(old),
    }


def _idea(old: Old) -> dict[str, Value]:
    low, high = _HOURS
    row: dict[str, Value] = {
        "id": old.text("id", most=ideas.ID_LENGTH, required=True),
        "title": old.text("title", most=ideas.TITLE_LENGTH, required=True),
        "description": old.text("description", most=ideas.DESCRIPTION_LENGTH, required=True),
        "status": old.word("status", get_args(ideas.Status), IDEA_STATUS, default="new"),
        "category": old.word("category", get_args(ideas.Category), IDEA_CATEGORY),
        "priority": old.word("priority", get_args(ideas.Priority), IDEA_PRIORITY),
        "tags": old.texts("tags", most=ideas.TAGS_PER_IDEA, longest=ideas.TAG_LENGTH),
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


def _file(old: Old) -> dict[str, Value]:
    """Without what only the bytes can tell: type, size, checksum, and where they are."""
    sent = old.text("original_name", most=files.ORIGINAL_LENGTH)
    name = old.text("filename", most=files.ORIGINAL_LENGTH) or sent
    if name is None:
        old.fault("filename", "is required")
    safe, shown = files.safe_name(name or ""), files.shown_name(sent or name or "")
    if safe != name:
        old.keep("filename")
    if shown != sent:
        old.keep("original_name")
    description = old.text("description", most=_JSON_LENGTH)
    if description is not None and len(description) > files.DESCRIPTION_LENGTH:
        old.adapt("description")
        description = description[: files.DESCRIPTION_LENGTH]
    uploaded_by = old.text("uploaded_by", most=_ACTOR_LENGTH)
    if uploaded_by is None:
        old.adapt("uploaded_by")
    return {
        "id": old.text("id", most=files.ID_LENGTH, required=True),
        "filename": safe,
        "original_name": shown,
        "description": description,
        "idea_id": old.text("idea_id", most=ideas.ID_LENGTH),
        "system_id": old.text("system_id", most=systems.ID_LENGTH),
        "uploaded_by": uploaded_by or NOBODY,
        "is_public": old.flag("is_public"),
        "download_count": old.integer("download_count") or 0,
        **_times(old),
    }


def _times(old: Old) -> dict[str, Value]:
    """When a row came is known from its first version at the latest."""
    created_at = old.moment("created_at")
    if created_at is None:
        old.adapt("created_at")
        created_at = old.moment_beside("designated_timestamp")
        if created_at is None:
            old.fault("created_at", "is required, as an ISO 8601 timestamp")
    return {"created_at": created_at, "updated_at": old.moment("updated_at")}


def _url(old: Old) -> str | None:
    url = old.text("url", most=systems.URL_LENGTH)
    if url is not None and fault_of_url(url) is not None:
        old.adapt("url")
        return None
    return url


_ROWS: Final[Mapping[Table, Callable[[Old], dict[str, Value]]]] = {
    SYSTEMS: _system,
    IDEAS: _idea,
    FILES: _file,
}
