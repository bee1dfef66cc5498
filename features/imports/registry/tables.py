"""Tables of the old registry, each one declaration: its columns, their translation there and back, and the
table here that its rows go to.
"""

from collections.abc import Callable, Mapping
from typing import Final, get_args

from core.http.request.fields import to_iso
from features.files import api as files
from features.ideas import api as ideas
from features.imports.queries import tables
from features.imports.queries.digests import Value
from features.imports.registry.columns import Column, LegacyTable, Reader
from features.imports.registry.values import Old, Words, appended_at
from features.imports.schemas import SOURCES, Store, Table
from features.systems import api as systems

KINDS: Final = (SOURCES["questdb"], SOURCES["postgres"])
SYSTEMS: Final = "documentation_systems"
IDEAS: Final = "documentation_ideas"
FILES: Final = "documentation_files"
AUDIT: Final = "documentation_audit_log"
NOBODY: Final = "anonymous"

_LATER: Final[tuple[Store, ...]] = ("questdb-2", "postgres")
_POSTGRES: Final[tuple[Store, ...]] = ("postgres",)
_QUESTDB: Final[tuple[Store, ...]] = ("questdb-1", "questdb-2")
_NOT_SECOND: Final[tuple[Store, ...]] = ("questdb-1", "postgres")
_ACTOR_LENGTH: Final = 128
_ENTITY_LENGTH: Final = 64
_ENTITY_ID_LENGTH: Final = 512

_SYSTEM_STATUS: Final = Words(
    get_args(systems.Status),
    old={"error": "degraded", "unknown": "planned"},
    default="planned",
    first={"planned": "offline"},
    later={"degraded": "error", "planned": "unknown"},
)
_IDEA_STATUS: Final = Words(
    get_args(ideas.Status),
    old={"backlog": "new", "todo": "triage", "done": "completed", "cancelled": "rejected"},
    default="new",
    first={
        "new": "backlog",
        "triage": "backlog",
        "review": "in_progress",
        "completed": "done",
        "rejected": "cancelled",
    },
    later={"new": "backlog", "triage": "todo", "completed": "done", "rejected": "backlog"},
)
_CATEGORY: Final = Words(
    get_args(ideas.Category),
    old={
        "new_feature": "automation",
        "bug_fix": "api",
        "structure": "infrastructure",
        **dict.fromkeys(("improvement", "content", "guide", "reference", "tutorial"), "docs"),
    },
    default="docs",
    first=dict.fromkeys(("docs", "automation", "dashboard", "infrastructure"), "guide"),
    later={
        "docs": "content",
        "api": "bug_fix",
        "infrastructure": "structure",
        **dict.fromkeys(("automation", "dashboard"), "new_feature"),
    },
)
_URGENT: Final = {"critical": "urgent"}
_PRIORITY: Final = Words(
    get_args(ideas.Priority), {"urgent": "critical"}, default="medium", first=_URGENT, later=_URGENT
)
_ACTIONS: Final = {"created": "create", "updated": "update", "deleted": "delete", "checked": "update"}
_ACTION: Final = Words(
    (), {"create": "created", "update": "updated", "delete": "deleted"}, first=_ACTIONS, later=_ACTIONS
)


def _url(old: Old, column: str) -> str | None:
    url = old.text(column, most=systems.URL_LENGTH)
    if url is not None and systems.fault_of_url(url) is not None:
        old.adapt(column)
        return None
    return url


def _moment(old: Old, column: str) -> str | None:
    """Time that every row has. Without one that of the row's version counts."""
    if (found := old.moment(column)) is None:
        old.adapt(column)
        if (appended := appended_at(old.values)) is not None:
            return to_iso(appended)
        old.fault(column, "is required, as an ISO 8601 timestamp")
    return found


def _filename(old: Old, column: str) -> str:
    sent = old.text("original_name", most=files.ORIGINAL_LENGTH)
    name = old.text(column, most=files.ORIGINAL_LENGTH) or sent
    if name is None:
        old.fault(column, "is required")
    if (safe := files.safe_name(name or "")) != name:
        old.keep(column)
    return safe


def _original_name(old: Old, column: str) -> str:
    sent = old.text(column, most=files.ORIGINAL_LENGTH)
    name = sent or old.text(_FILENAME.name_among(old.values), most=files.ORIGINAL_LENGTH)
    if (shown := files.shown_name(name or "")) != sent:
        old.keep(column)
    return shown


def _person(keep: Callable[[Old, str], None]) -> Reader:
    def read(old: Old, column: str) -> str:
        found = old.text(column, most=_ACTOR_LENGTH)
        if found is None:
            keep(old, column)
        return found or NOBODY

    return read


def _complete(old: Old, row: dict[str, Value]) -> None:
    """Only a completed idea has a time of completion, and it has one."""
    completed = row["status"] == "completed"
    if completed != (row["completed_at"] is not None):
        old.adapt("completed_at")
        row["completed_at"] = (row["updated_at"] or row["created_at"]) if completed else None


_SYSTEM_ID: Final = Column("system_id", _LATER, most=systems.ID_LENGTH)
_CREATED_AT: Final = Column("created_at", read=_moment)
_APPENDED: Final = Column("designated_timestamp", former={"questdb-1": "ts"})
_FILENAME: Final = Column("filename", former={"questdb-1": "stored_name"}, required=True, read=_filename)

LEGACY: Final[Mapping[Table, LegacyTable]] = {
    SYSTEMS: LegacyTable(
        tables.SYSTEMS,
        (
            Column("id", required=True, most=systems.ID_LENGTH),
            Column("name", required=True, most=systems.STORED_NAME_LENGTH),
            Column("description", most=systems.DESCRIPTION_LENGTH),
            Column("type", _LATER, words=Words(get_args(systems.SystemType))),
            Column("url", read=_url),
            Column("status", required=True, words=_SYSTEM_STATUS),
            Column("last_checked", _LATER),
            Column("response_time_ms", _LATER),
            Column("version", _LATER, most=systems.WORD_LENGTH),
            Column("owner", _LATER, most=systems.WORD_LENGTH),
            Column("tags"),
            Column("metadata", _LATER),
            Column("icon", _NOT_SECOND),
            Column("color", _NOT_SECOND),
            Column("host", _NOT_SECOND),
            Column("port", _NOT_SECOND, least=1, most=65_535),
            Column("created_by", _POSTGRES),
            _CREATED_AT,
            Column("updated_at"),
            _APPENDED,
        ),
    ),
    IDEAS: LegacyTable(
        tables.IDEAS,
        (
            Column("id", required=True, most=ideas.ID_LENGTH),
            Column("title", required=True, most=ideas.STORED_TITLE_LENGTH),
            Column("description", most=ideas.DESCRIPTION_LENGTH),
            Column("status", required=True, words=_IDEA_STATUS),
            Column("category", required=True, words=_CATEGORY),
            Column("priority", required=True, words=_PRIORITY),
            Column("assigned_to", most=ideas.PERSON_LENGTH),
            Column("created_by", most=ideas.PERSON_LENGTH),
            _SYSTEM_ID,
            Column("tags"),
            Column("estimated_hours", _LATER, least=1, most=1000),
            Column("actual_hours", _LATER, most=10_000),
            Column("due_date", _LATER),
            _CREATED_AT,
            Column("updated_at"),
            Column("completed_at"),
            _APPENDED,
        ),
        finish=_complete,
    ),
    FILES: LegacyTable(
        tables.FILES,
        (
            Column("id", required=True, most=files.ID_LENGTH),
            _FILENAME,
            Column("original_name", required=True, read=_original_name),
            Column("mime_type", of_bytes=True),
            Column("size_bytes", former={"questdb-1": "size"}, of_bytes=True),
            Column("file_path", former={"questdb-1": "storage_path"}, required=True),
            Column("description", _LATER),
            Column("idea_id", most=ideas.ID_LENGTH),
            _SYSTEM_ID,
            Column("uploaded_by", read=_person(Old.adapt)),
            Column("is_public", _LATER),
            Column("download_count", _LATER),
            Column("checksum", _NOT_SECOND, of_bytes=True),
            Column("created_at", former={"questdb-1": "uploaded_at"}, read=_moment),
            Column("updated_at", _LATER),
            _APPENDED,
        ),
        read_first=("filename", "original_name", "uploaded_by"),
    ),
    AUDIT: LegacyTable(
        tables.ENTRIES,
        (
            Column("id", into="legacy_id", required=True, most=_ENTITY_ID_LENGTH),
            Column("entity_type", into="entity", required=True, most=_ENTITY_LENGTH),
            Column("entity_id", required=True, most=_ENTITY_ID_LENGTH),
            Column("action", required=True, words=_ACTION),
            Column("user_id", into="actor", read=_person(Old.keep)),
            Column("changes", read=lambda old, column: old.members(column) or {}),
            Column("ip_address", into="client", most=_ACTOR_LENGTH),
            Column("user_agent"),
            Column("created_at", former=dict.fromkeys(_QUESTDB, "ts"), into="at", read=_moment),
        ),
        read_first=("at", "actor"),
    ),
}
"""Tables in the order in which they are written, and their rows locked: each refers only to those before."""

TABLES: Final[tuple[Table, ...]] = tuple(LEGACY)
BY_NAME: Final[Mapping[str, Table]] = {each.rows.declared.name: table for table, each in LEGACY.items()}
"""Tables by the name of those that their rows go to."""
