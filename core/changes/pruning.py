"""The job `changes.prune`: deletes lines of the log that are older than an hour."""

from datetime import timedelta
from typing import Final

from core.changes import statements
from core.jobs import JobContext, JobKind, JsonObject

KEPT: Final = timedelta(hours=1)
"""Far longer than anybody takes to read them. A line may be younger than it looks, for it appears with the
commit of its transaction: that lines were deleted is logged as well, and who may not have read them begins a
new life.
"""
BATCH: Final = 10_000
"""Upper bound of the lines deleted in one statement."""


async def run(context: JobContext) -> JsonObject:
    deleted = 0
    while batch := await context.db.execute_raw(statements.DELETE, KEPT.total_seconds(), BATCH):
        deleted += batch
        await context.progress(done=deleted)
        await context.raise_if_stopping()
    return {"deleted": deleted}


PRUNE: Final = JobKind("changes.prune", run, exclusive=True, every=KEPT)
