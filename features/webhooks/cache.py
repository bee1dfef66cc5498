"""Response cache policies of webhooks. Deliveries are not cached: they change all the time."""

from typing import Final

from core.cache import Policy
from core.database.writes import Write

WEBHOOK: Final = Policy("webhooks.webhook", tags=("webhooks",), by_url=True)
LIST: Final = Policy("webhooks.list", tags=("webhooks",), by_url=True)
CACHE_TAGS: Final = ("webhooks",)


def renewed(write: Write) -> tuple[str, ...]:
    """Tags that a write of webhooks renews; their positions are not shown."""
    return () if write.fields == {"position"} else CACHE_TAGS
