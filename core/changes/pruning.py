"""The job `changes.prune`: deletes lines of the log that are older than an hour."""

from datetime import timedelta
from typing import Final

from core.jobs import JobContext, JobKind, JsonObject

_DELETE: Final = "DELETE FROM changes WHERE at < clock_timestamp() - make_interval(secs => $1::float8)"
KEPT: Final = timedelta(hours=1)
"""Far longer than anybody takes to read them. A line may be younger than it looks, for it appears with the
commit of its transaction: that lines were deleted is logged as well, and who reads that begins a new life.
"""


async def run(context: JobContext) -> JsonObject:
    return {"deleted": await context.db.execute_raw(_DELETE, KEPT.total_seconds())}


PRUNE: Final = JobKind("changes.prune", run, exclusive=True, every=KEPT)
