"""Invalidation of the keys that processes keep in memory."""

from typing import Final

from core.database.writes import Write

KEY_TAG: Final = "keys"
"""Cache tag that every change of a key renews."""


def renewed(write: Write) -> tuple[str, ...]:
    """Tags that a write of keys renews; noting that one was used renews none."""
    return () if write.fields == {"last_used_at"} else (KEY_TAG,)
