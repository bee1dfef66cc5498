"""What other slices may use of the audit trail: leaving an entry, in the writer's own transaction."""

from collections.abc import Mapping

from pydantic import JsonValue

from core.database.client import Database
from features.audit import queries
from features.audit.schemas import Action, AuditEntry

__all__ = ["Action", "AuditEntry", "JsonValue", "differences", "record"]


async def record(tx: Database, entry: AuditEntry) -> None:
    """`tx` must be the transaction of the change, so that neither exists without the other."""
    await queries.create(tx, entry)


def differences(before: Mapping[str, JsonValue], after: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """The fields that differ, as `{field: {"before": ..., "after": ...}}`; a side that lacks a field says
    null.
    """
    return {
        field: {"before": before.get(field), "after": after.get(field)}
        for field in (*before, *(field for field in after if field not in before))
        if field not in before or field not in after or before[field] != after[field]
    }
