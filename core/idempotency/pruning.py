"""Job `idempotency.prune`: deletes expired keys."""

from datetime import timedelta
from typing import Final

from core.idempotency import queries
from core.jobs import JobContext, JobKind, JsonObject


async def run(context: JobContext) -> JsonObject:
    return {"deleted": await queries.delete_expired(context.db)}


PRUNE: Final = JobKind("idempotency.prune", run, exclusive=True, every=timedelta(hours=1))
