"""Job `idempotency.prune`: deletes expired keys."""

from datetime import timedelta
from typing import Final

from core.jobs.kinds import pruning

_DELETE_EXPIRED: Final = """
DELETE FROM idempotency_keys WHERE expires_at < clock_timestamp() AND lease_expires_at < clock_timestamp()
"""

PRUNE: Final = pruning(
    "idempotency.prune", timedelta(hours=1), lambda context: context.db.execute_raw(_DELETE_EXPIRED)
)
