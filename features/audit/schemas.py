"""The frozen values of the audit trail."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from pydantic import JsonValue

Action = Literal["created", "updated", "deleted", "imported", "checked"]



class Author(Protocol):
    """Who made a change: a request's actor, a command's user, the one who asked for a job."""

    @property
    def name(self) -> str: ...

    @property
    def request_id(self) -> str | None: ...

    @property
    def client(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One change of one row.

    `changes` is `{field: {"before": ..., "after": ...}}` in the names and forms of the API; an import writes
    one entry per batch instead, under its job's id, with what it counted. `client` is the address that the
    request came from.
    """

    entity: str
    entity_id: str
    action: Action
    actor: str
    request_id: str | None
    changes: Mapping[str, JsonValue]
    client: str | None = None
