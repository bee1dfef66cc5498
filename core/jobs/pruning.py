"""Job `jobs.prune`: deletes jobs that ended longer ago than JOBS_RETENTION_DAYS."""

from collections.abc import Iterable
from datetime import timedelta
from functools import partial
from typing import Final

from core.jobs import queries
from core.jobs.context import JobContext
from core.jobs.kinds import JobKind
from core.jobs.views import JsonObject
from core.settings import Settings

KIND: Final = "jobs.prune"
BATCH: Final = 1000
"""Upper bound of the jobs deleted in one transaction."""


def pruning(kinds: Iterable[JobKind]) -> JobKind:
    """Kind of the pruning job, which spares the jobs of those kinds that are `kept`."""
    kept = [kind.kind for kind in kinds if kind.kept]
    run = partial(_run, kept)
    return JobKind(KIND, run, exclusive=True, every=timedelta(days=1), scheduled=_scheduled)


def _scheduled(settings: Settings) -> JsonObject | None:
    return {} if settings.jobs_retention_days else None


async def _run(kept: list[str], context: JobContext) -> JsonObject:
    days, deleted = context.settings.jobs_retention_days, 0
    # 0 keeps all, also where the job was begun with another setting.
    while days and (batch := await queries.delete_ended(context.db, days, kept=kept, limit=BATCH)):
        deleted += batch
        await context.progress(done=deleted)
        await context.raise_if_stopping()
    return {"deleted": deleted}
