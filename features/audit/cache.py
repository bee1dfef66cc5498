"""What reads that show the trail depend on.

Entries come with the change of a row, so what shows entries of some rows hangs on the tags of those rows' own
slices. `AUDIT_TAGS` are renewed only when entries are deleted or taken over. The list itself is not cached:
it changes with every write, and is asked for seldom.
"""

from typing import Final

from core.database.writes import Write

AUDIT_TAGS: Final = ("audit",)


def renewed(write: Write) -> tuple[str, ...]:
    """The tags that a write of entries renews."""
    return AUDIT_TAGS if write.operation.startswith("delete") else ()
