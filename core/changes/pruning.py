"""The job `changes.prune`: deletes lines of the log that are older than an hour."""

from datetime import timedelta
from typing import Final

from core.jobs.kinds import pruning

KEPT: Final = timedelta(hours=1)
"""Far longer than anybody takes to read them. A line may be younger than it looks, for it appears with the
commit of its transaction: that lines were deleted is logged as well, and who may not have read them begins a
new life.
"""
BATCH: Final = 10_000
"""Upper bound of the lines deleted in one statement."""

# $1 seconds, $2 lines: the oldest of them that are old enough.
_DELETE: Final = """
DELETE FROM changes WHERE id IN (SELECT id FROM changes ORDER BY id LIMIT $2::int)
    AND at < clock_timestamp() - make_interval(secs => $1::float8)
"""

PRUNE: Final = pruning(
    "changes.prune",
    KEPT,
    lambda context: context.db.execute_raw(_DELETE, KEPT.total_seconds(), BATCH),
)
