"""Permission to delete entries, which a trigger otherwise refuses: a setting of the transaction."""

from core.database.client import Database


async def allow_deletion(tx: Database) -> None:
    """Permit deletions until the transaction ends."""
    await tx.query_raw("SELECT set_config('handover.audit_retention', 'on', true)")
