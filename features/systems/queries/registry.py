"""Queries of systems by the typed client. Functions take `db` first and open no transaction."""

from collections.abc import Collection, Mapping, Sequence
from typing import Final, cast

from prisma import Json
from prisma.bases import BaseSystem
from prisma.errors import UniqueViolationError
from prisma.models import System as SystemRow
from prisma.types import (
    Serializable,
    SystemCreateInput,
    SystemOrderByInput,
    SystemScalarFieldKeys,
    SystemUpdateInput,
    SystemWhereInput,
)

from core.database.client import Database
from core.http.answers.conditional import Precondition, RowState, WriteRow, conditional_write
from core.http.answers.envelope import Row
from core.http.answers.pagination import Position, beyond
from core.http.request.fields import now
from features.systems.errors import SystemChanged, SystemNameTaken, SystemNotFound
from features.systems.schemas import (
    CreateSystem,
    OrderDirection,
    StatusCounts,
    System,
    SystemFilter,
    SystemsStats,
    TypeCounts,
    UpdateSystem,
)

_ORDERS: Final[dict[OrderDirection, list[SystemOrderByInput]]] = {
    "desc": [{"created_at": "desc"}, {"id": "asc"}],
    "asc": [{"created_at": "asc"}, {"id": "desc"}],
}


class NamedSystem(BaseSystem):
    id: str
    name: str


def where_of(wanted: SystemFilter) -> SystemWhereInput:
    """Condition of the filter, without `tag` and `search`."""
    given = wanted.model_dump(include={"status", "type", "category", "owner"}, exclude_none=True)
    if wanted.status == "unknown":
        del given["status"]
        given["last_checked"] = None
    elif wanted.status == "error":
        given["status"] = "degraded"
    return cast(SystemWhereInput, given)


async def find_systems(
    db: Database,
    wanted: SystemFilter,
    direction: OrderDirection,
    *,
    after: Position | None,
    offset: int,
    take: int,
) -> list[System]:
    """Systems by time of creation, ties by id. `tag` and `search` are ignored."""
    where = where_of(wanted)
    if after is not None:
        where["AND"] = beyond(after, newest_first=direction == "desc")
    rows = await db.system.find_many(where=where, order=_ORDERS[direction], skip=offset or None, take=take)
    return [system_of(row) for row in rows]


async def systems_by_id(db: Database, ids: Sequence[str]) -> list[System]:
    """Systems of those ids that are stored, in their order; no query for no ids."""
    if not ids:
        return []
    rows = {row.id: row for row in await db.system.find_many(where={"id": {"in": list(ids)}})}
    return [system_of(rows[system_id]) for system_id in ids if system_id in rows]


async def count_systems(db: Database, wanted: SystemFilter | None = None) -> int:
    """Number of systems. `tag` and `search` are ignored."""
    return await db.system.count(where={} if wanted is None else where_of(wanted))


async def find_system(db: Database, system_id: str) -> SystemRow | None:
    return await db.system.find_unique(where={"id": system_id})


async def create_system(db: Database, system_id: str, values: CreateSystem) -> Row:
    """Insert a system. Raises SystemNameTaken."""
    data = {**_columns(values.model_dump(exclude_none=True)), "id": system_id, "created_at": now()}
    try:
        return row_of(await db.system.create(data=cast(SystemCreateInput, data)))
    except UniqueViolationError:
        raise SystemNameTaken(values.name) from None


async def update_system(db: Database, system_id: str, values: UpdateSystem, seen: Precondition) -> Row:
    """Update the fields that `values` was given. Raises SystemNameTaken, SystemNotFound; SystemChanged if it
    is not as its writer has seen it.
    """
    data = cast(SystemUpdateInput, {**_columns(values.model_dump(exclude_unset=True)), "updated_at": now()})
    try:
        return await _change(db, system_id, seen, lambda where: db.system.update(where=where, data=data))
    except UniqueViolationError:
        raise SystemNameTaken(values.name) from None


async def delete_system(db: Database, system_id: str, seen: Precondition) -> Row:
    """Delete a system and return it; its ideas and files stay. Raises SystemNotFound, SystemChanged."""
    return await _change(db, system_id, seen, lambda where: db.system.delete(where=where))


async def _change(db: Database, system_id: str, seen: Precondition, write: WriteRow[SystemRow]) -> Row:
    async def find() -> RowState | None:
        if (row := await find_system(db, system_id)) is None:
            return None
        return RowState(
            row_of(row).etag, {"row_version": row.row_version, "import_job_id": row.import_job_id}
        )

    return row_of(await conditional_write(seen, system_id, find, write, SystemNotFound, SystemChanged))


async def names_of(db: Database, ids: Collection[str]) -> dict[str, str]:
    rows = await NamedSystem.prisma(db).find_many(where={"id": {"in": list(ids)}})
    return {row.id: row.name for row in rows}


async def names_taken(db: Database, wanted_by: Mapping[str, str]) -> dict[str, str]:
    """Names that another system has, with its id. `wanted_by`: each name with the id that wants it."""
    rows = await NamedSystem.prisma(db).find_many(where={"name": {"in": list(wanted_by)}})
    return {row.name: row.id for row in rows if row.id != wanted_by[row.name]}


async def statistics(db: Database) -> SystemsStats:
    by: list[SystemScalarFieldKeys] = ["status", "type"]
    kinds = await db.system.group_by(by, count=True, max={"last_checked": True})
    by_status = dict.fromkeys(StatusCounts.model_fields, 0)
    by_type = dict.fromkeys(TypeCounts.model_fields, 0)
    for kind in kinds:
        number = kind["_count"]["_all"]
        by_status["error" if kind["status"] == "degraded" else kind["status"]] += number
        if kind["type"] is not None:
            by_type[kind["type"]] += number
    checked = [kind["_max"]["last_checked"] for kind in kinds]
    return SystemsStats(
        total=sum(by_status.values()),
        by_status=StatusCounts(**by_status),
        by_type=TypeCounts(**by_type),
        last_checked=max(filter(None, checked), default=None),
    )


def _columns(given: dict[str, object]) -> dict[str, object]:
    metadata = given.get("metadata")
    return given if metadata is None else {**given, "metadata": Json(cast(Serializable, metadata))}


def row_of(row: SystemRow) -> Row:
    return Row(row.row_version, system_of(row).model_dump_json(by_alias=True).encode())


def system_of(row: SystemRow) -> System:
    """System of a row, not validated again: the database's constraints hold for what it returns."""
    fields = {name: getattr(row, name) for name in System.model_fields}
    return System.model_construct(**{**fields, "description": row.description or ""})
