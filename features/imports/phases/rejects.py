"""Storage of rejects that preflight found."""

from core.database.client import Database
from features.imports import queries
from features.imports.lowdb.spool import Batch


async def store(tx: Database, job_id: str, batch: Batch) -> None:
    await queries.insert_rejects(tx, job_id, f"[{b','.join(batch.lines).decode()}]")
