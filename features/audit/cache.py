"""Cache tags of the audit trail.

Entries come with the change of a row, so a response that shows entries of some rows depends on the tags of
those rows' slices. `AUDIT_TAGS` are renewed only when entries are deleted or taken over. The list itself is
not cached: it changes with every write, and is read seldom.
"""

from typing import Final

from core.database.writes import Write

AUDIT_TAGS: Final = ("audit",)


def renewed(write: Write) -> tuple[str, ...]:
    """Tags that a write of entries renews."""
    return AUDIT_TAGS if write.operation.startswith("delete") else ()
