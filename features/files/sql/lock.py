"""Row lock of files."""

from core.database.client import Database


async def hold_file(tx: Database, file_id: str) -> None:
    """Lock the file until the transaction ends. Raises LockTimeout after DB_LOCK_TIMEOUT_S."""
    await tx.query_raw("SELECT id FROM files WHERE id = $1 FOR UPDATE", file_id)
