"""Job `audit.retention`: deletes the entries that are older than the settings allow."""

from datetime import datetime, timedelta
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from core.database.client import Database
from core.database.transaction import unit_of_work
from core.http.request.fields import to_iso
from core.jobs import JobContext, JobKind, JsonObject
from core.settings import Settings
from features.audit import queries
from features.audit.schemas import RETENTION_ENTITY, RETENTION_KIND, AuditEntry
from features.audit.settings import AuditSettings
from features.audit.sql.retention import allow_deletion

BATCH: Final = 5000
"""Upper bound of the entries deleted in one transaction."""


class Arguments(BaseModel):
    """Arguments of the job. 0 days: everything is kept."""

    model_config = ConfigDict(frozen=True)

    days: int = Field(ge=0)


class Checkpoint(BaseModel):
    model_config = ConfigDict(frozen=True)

    deleted: int = 0


async def run(context: JobContext) -> JsonObject:
    """Delete entries older than `days` before the job was enqueued: a resumed run has the same limit."""
    arguments = Arguments.model_validate(context.job.arguments)
    if arguments.days == 0:
        return {"deleted": 0}
    limit = context.job.created_at - timedelta(days=arguments.days)
    deleted = Checkpoint.model_validate(context.job.checkpoint or {}).deleted
    total = deleted + await queries.count_older(context.db, limit)
    await context.progress(phase="delete", done=deleted, total=total)
    while batch := await _delete_batch(context, limit, deleted):
        deleted += batch
        await context.progress(done=deleted)
    return {"deleted": deleted, "before": to_iso(limit)}


async def _delete_batch(context: JobContext, limit: datetime, deleted: int) -> int:
    """Delete one batch and add an entry about it in the same transaction, so that no deletion goes unseen."""
    await context.raise_if_stopping()
    job = context.job

    async def delete(tx: Database) -> int:
        await allow_deletion(tx)
        batch = await queries.delete_older(tx, limit, limit=BATCH)
        if batch:
            changes: JsonObject = {"count": batch, "before": to_iso(limit)}
            entry = AuditEntry(RETENTION_ENTITY, job.id, "deleted", job.actor, job.request_id, changes)
            await queries.create(tx, entry)
            done = deleted + batch
            await context.checkpoint(tx, Checkpoint(deleted=done).model_dump(), done=done)
        return batch

    return await unit_of_work(context.db, delete)


def _scheduled(settings: Settings) -> JsonObject | None:
    days = settings.of(AuditSettings).audit_retention_days
    return {"days": days} if days else None


RETENTION: Final = JobKind(
    RETENTION_KIND,
    run,
    exclusive=True,
    public_arguments=("days",),
    every=timedelta(days=1),
    scheduled=_scheduled,
)
