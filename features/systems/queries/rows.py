"""Single systems, and what a check of them reads and writes."""

from datetime import datetime
from typing import Final, cast

from prisma import Json
from prisma.errors import UniqueViolationError
from prisma.models import System as SystemRow
from prisma.types import Serializable, SystemCreateInput, SystemUpdateInput
from pydantic import JsonValue

from core.database.client import Database
from features.systems.errors import SystemNameTaken
from features.systems.schemas import (
    CheckTarget,
    CreateSystem,
    Finding,
    Status,
    StoredSystem,
    System,
    SystemType,
    UpdateSystem,
)

COLUMNS: Final = (
    "id, name, description, status, port, category, tags, type, url, owner, version, metadata, icon, color, "
    "host, last_checked, response_time_ms, created_at, updated_at, row_version"
)

_LOCK: Final = f"SELECT {COLUMNS} FROM systems WHERE id = $1 FOR UPDATE"

# What a reference to the system does too: it cannot be deleted before the transaction ends.
_HOLD: Final = "SELECT id FROM systems WHERE id = $1 FOR KEY SHARE"


async def find_system(db: Database, system_id: str) -> StoredSystem | None:
    row = await db.system.find_unique(where={"id": system_id})
    return None if row is None else _stored(row)


async def hold_system(tx: Database, system_id: str) -> bool:
    """Whether it exists; if so it will until the transaction ends."""
    return bool(await tx.query_raw(_HOLD, system_id))


async def create_system(
    tx: Database, system_id: str, values: CreateSystem, created_at: datetime
) -> StoredSystem:
    """Raises SystemNameTaken."""
    given = _columns(values.model_dump(exclude_none=True))
    data = cast(SystemCreateInput, {**given, "id": system_id, "created_at": created_at})
    try:
        return _stored(await tx.system.create(data=data))
    except UniqueViolationError:
        raise SystemNameTaken(values.name) from None


async def lock_system(tx: Database, system_id: str) -> StoredSystem | None:
    """The row, held until the transaction ends: writers of one system come one after the other.

    Raises LockTimeout after DB_LOCK_TIMEOUT_S.
    """
    rows = await tx.query_raw(_LOCK, system_id, model=SystemRow)
    return _stored(rows[0]) if rows else None


async def update_system(
    tx: Database, system_id: str, values: UpdateSystem, updated_at: datetime
) -> StoredSystem | None:
    """Changes the fields that `values` was given. Raises SystemNameTaken."""
    given = _columns(values.model_dump(exclude_unset=True))
    data = cast(SystemUpdateInput, {**given, "updated_at": updated_at, "row_version": {"increment": 1}})
    try:
        row = await tx.system.update(where={"id": system_id}, data=data)
    except UniqueViolationError:
        raise SystemNameTaken(values.name) from None
    return None if row is None else _stored(row)


async def delete_system(tx: Database, system_id: str) -> None:
    """Ideas and files of the system lose their link, and stay."""
    await tx.system.delete(where={"id": system_id})


async def store_finding(tx: Database, system_id: str, finding: Finding) -> StoredSystem | None:
    row = await tx.system.update(
        where={"id": system_id},
        data={
            "status": finding.status,
            "last_checked": finding.checked_at,
            "response_time_ms": finding.response_time_ms,
            "row_version": {"increment": 1},
        },
    )
    return None if row is None else _stored(row)


async def targets_after(db: Database, system_id: str, *, limit: int) -> list[CheckTarget]:
    """The next systems in the order of their ids."""
    rows = await db.query_raw(
        "SELECT id, url FROM systems WHERE id > $1 ORDER BY id LIMIT $2::int", system_id, limit
    )
    return [CheckTarget(row["id"], row["url"]) for row in rows]


async def count_targets(db: Database) -> int:
    return await db.system.count()


def _columns(given: dict[str, object]) -> dict[str, object]:
    metadata = given.get("metadata")
    return given if metadata is None else {**given, "metadata": Json(cast(Serializable, metadata))}


def _stored(row: SystemRow) -> StoredSystem:
    return StoredSystem(system_of(row), row.row_version)


def system_of(row: SystemRow) -> System:
    """Not validated again: the database's own constraints hold for what it returns."""
    return System.model_construct(
        id=row.id,
        name=row.name,
        description=row.description or "",
        status=cast(Status, row.status),
        port=row.port,
        category=row.category,
        tags=row.tags,
        type=cast(SystemType | None, row.type),
        url=row.url,
        owner=row.owner,
        version=row.version,
        metadata=cast("dict[str, JsonValue] | None", row.metadata),
        icon=row.icon,
        color=row.color,
        host=row.host,
        last_checked=row.last_checked,
        response_time_ms=row.response_time_ms,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
