"""Systems that have to stay: a lock, as a reference to them takes it."""

from core.database.client import Database


async def hold_system(tx: Database, system_id: str) -> bool:
    """Whether it exists; if so it will until the transaction ends."""
    return bool(await tx.query_raw("SELECT id FROM systems WHERE id = $1 FOR KEY SHARE", system_id))
