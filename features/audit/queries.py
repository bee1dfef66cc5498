"""The only place that asks the database for audit entries."""

from typing import cast

from prisma import Json
from prisma.types import Serializable

from core.database.client import Database
from features.audit.schemas import AuditEntry


async def create(tx: Database, entry: AuditEntry) -> None:
    await tx.auditentry.create(
        data={
            "entity": entry.entity,
            "entity_id": entry.entity_id,
            "action": entry.action,
            "actor": entry.actor,
            "request_id": entry.request_id,
            "client": entry.client,
            "changes": Json(cast("dict[str, Serializable]", dict(entry.changes))),
        }
    )
