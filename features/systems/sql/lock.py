"""Row lock of systems, the one that a foreign key takes."""

from core.database.client import Database


async def hold_system(tx: Database, system_id: str) -> bool:
    """True if the system exists; it is locked against deletion until the transaction ends."""
    return bool(await tx.query_raw("SELECT id FROM systems WHERE id = $1 FOR KEY SHARE", system_id))
