"""The frozen values of the audit trail."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import JsonValue

Action = Literal["created", "updated", "deleted", "imported"]


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One change of one row.

    `changes` is `{field: {"before": ..., "after": ...}}` in the names and forms of the API; an import writes
    one entry per batch instead, under its job's id, with what it counted.
    """

    entity: str
    entity_id: str
    action: Action
    actor: str
    request_id: str | None
    changes: Mapping[str, JsonValue]
