"""The job `changes.retention`: has committed events numbered, and deletes those that are too old."""

import time
from datetime import timedelta
from typing import Final

from core.jobs import JobContext, JobKind, JsonObject
from features.changes import queries
from features.changes.settings import ChangesSettings
from features.changes.sql import sequence

BATCH: Final = 5_000
_DAY_US: Final = 86_400_000_000


async def run(context: JobContext) -> JsonObject:
    await sequence(context.db)
    days = context.settings.of(ChangesSettings).changes_retention_days
    start = time.time_ns() // 1000 - days * _DAY_US
    # Nobody resumes from there any more, whether events are gone already or not.
    if start > await queries.kept_from(context.db):
        await queries.keep_from(context.db, start)
    deleted = 0
    while batch := await queries.delete_before(context.db, start, limit=BATCH):
        deleted += batch
        await context.progress(done=deleted)
        await context.raise_if_stopping()
    return {"deleted": deleted}


RETENTION: Final = JobKind("changes.retention", run, exclusive=True, every=timedelta(hours=1))
