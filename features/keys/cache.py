"""Invalidation of the keys that processes keep in memory."""

from core.database.writes import Write
from core.http.request.access import KEY_TAG


def renewed(write: Write) -> tuple[str, ...]:
    """Tags that a write of keys renews; noting that one was used renews none."""
    return () if write.fields == {"last_used_at"} else (KEY_TAG,)
