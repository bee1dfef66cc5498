"""The lists whose tables grow, and values for every filter that they offer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Hot:
    """A list. Of each filter: a common value, rare ones, one that nothing has."""

    path: str
    table: str
    filters: Mapping[str, Sequence[str]]


LISTS: Final = (
    Hot(
        "/api/v1/ideas",
        "ideas",
        {
            "status": ["completed", "triage"],
            "category": ["api", "infrastructure"],
            "priority": ["low", "critical"],
            "system_id": ["system-7", "none"],
            "assigned_to": ["person-7", "nobody"],
            "search": ["word77", "nothing"],
        },
    ),
    Hot(
        "/api/items",
        "items",
        {
            "status": ["completed", "new"],
            "category": ["dashboard", "documentacao"],
            "priority": ["low", "critical"],
            "tag": ["tag7", "none"],
            "q": ["word77", "nothing"],
        },
    ),
    Hot(
        "/api/v1/files",
        "files",
        {
            "system_id": ["system-7", "none"],
            "idea_id": ["idea-7", "none"],
            "uploaded_by": ["person-7", "nobody"],
            "mime_type": ["application/pdf", "application/zip", "text/x-none"],
            "search": ["word77", "nothing"],
            "is_public": ["false", "true"],
            "min_size": ["10000000", "49900000", "50000001"],
            "max_size": ["40000000", "100000"],
            "created_from": ["2025-01-20T00:00:00Z", "2025-03-10T00:00:00Z", "2026-01-01T00:00:00Z"],
            "created_to": ["2025-02-20T00:00:00Z", "2025-01-02T00:00:00Z", "2024-01-01T00:00:00Z"],
        },
    ),
    Hot(
        "/api/v1/systems",
        "systems",
        {
            "status": ["online", "planned", "unknown", "error"],
            "type": ["api"],
            "category": ["category 7"],
            "owner": ["owner-7", "nobody"],
            "tag": ["tag7"],
            "search": ["area 77", "nothing"],
        },
    ),
    Hot(
        "/api/v1/audit",
        "audit_entries",
        {
            "entity": ["idea", "item", "audit"],
            "entity_id": ["row-7", "none"],
            "action": ["updated", "imported", "checked"],
            "actor": ["person-7", "nobody"],
            "request_id": ["request-7", "none"],
            "since": ["2025-02-01T00:00:00Z", "2025-12-01T00:00:00Z", "2030-01-01T00:00:00Z"],
            "until": ["2025-11-01T00:00:00Z", "2025-01-02T00:00:00Z", "2024-01-01T00:00:00Z"],
        },
    ),
)
