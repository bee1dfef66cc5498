"""The jobs `changes.retention`, which has committed events numbered and deletes those that are too old, and
`changes.prune`, which deletes lines of the log that are older than an hour.
"""

import time
from datetime import timedelta
from typing import Final

from core.jobs import JobContext, JobKind, JsonObject
from core.jobs.kinds import pruning
from features.changes import queries
from features.changes.settings import ChangesSettings
from features.changes.sql import delete_oldest, sequence

BATCH: Final = 5_000
KEPT: Final = timedelta(hours=1)
"""Far longer than anybody takes to read the log. A line may be younger than it looks, for it appears with
the commit of its transaction: that lines were deleted is logged as well, and who may not have read them
begins a new life.
"""
LINES: Final = 10_000
"""Upper bound of the lines deleted in one statement."""
_DAY_US: Final = 86_400_000_000


async def run(context: JobContext) -> JsonObject:
    await sequence(context.db)
    days = context.settings.of(ChangesSettings).changes_retention_days
    start = time.time_ns() // 1000 - days * _DAY_US
    # Nobody resumes from there any more, whether events are gone already or not.
    if start > (await queries.extent_of(context.db)).kept_from:
        await queries.keep_from(context.db, start)
    deleted = 0
    while batch := await queries.delete_before(context.db, start, limit=BATCH):
        deleted += batch
        await context.progress(done=deleted)
        await context.raise_if_stopping()
    return {"deleted": deleted}


RETENTION: Final = JobKind("changes.retention", run, exclusive=True, every=timedelta(hours=1))
PRUNE: Final = pruning(
    "changes.prune", KEPT, lambda context: delete_oldest(context.db, KEPT.total_seconds(), limit=LINES)
)
