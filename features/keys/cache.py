"""What makes invalid what processes know of keys."""

from core.database.writes import Write
from core.http.access import KEY_TAG


def renewed(write: Write) -> tuple[str, ...]:
    """The tags that a write of keys renews: noting that one was used changes nothing."""
    return () if write.fields == {"last_used_at"} else (KEY_TAG,)
