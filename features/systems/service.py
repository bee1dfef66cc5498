"""The rules of the registry: what a page holds, and what a write changes."""

from typing import Final
from uuid import uuid4

from core.database.client import Database
from core.deps import Writing
from core.http.envelope import ListEnvelope, listed
from core.http.rows import Row
from features.systems.errors import SystemNotFound
from features.systems.queries import registry
from features.systems.schemas import CreateSystem, System, SystemFilter, SystemQuery, UpdateSystem
from features.systems.sql import match

ENTITY: Final = "system"


async def list_systems(db: Database, query: SystemQuery) -> ListEnvelope[System]:
    """One page; without limit and offset every system that matches."""
    if query.order_by == "created_at" and not _by_text(query):
        systems = await registry.find_systems(
            db, query, query.direction, offset=query.offset, take=query.limit
        )
        found = len(systems)
    else:
        ids = await match.find_matching(db, query, registry.where_of(query))
        systems, found = await registry.systems_by_id(db, ids), len(ids)
    complete = query.limit is None or found < query.limit
    return listed(systems, total=found if complete and not query.offset else await _count(db, query))


async def search_systems(db: Database, text: str, *, limit: int | None = None) -> list[System]:
    """The best matches first; words in the name count more."""
    return await registry.systems_by_id(db, await match.search_systems(db, text, limit=limit))


async def get_system(db: Database, system_id: str) -> Row:
    found = await registry.find_system(db, system_id)
    if found is None:
        raise SystemNotFound(system_id)
    return registry.row_of(found)


async def create_system(writer: Writing, values: CreateSystem) -> tuple[str, Row]:
    """Its id, and the system. Raises SystemNameTaken."""
    system_id = str(uuid4())
    row = await writer.write(lambda tx: registry.create_system(tx, system_id, values))
    return system_id, row


async def update_system(writer: Writing, system_id: str, values: UpdateSystem) -> Row:
    """Merges the given fields and sets `updatedAt`, even when no field is given.

    Raises Invalid for values that only rows of the old service may keep, SystemNameTaken, SystemNotFound;
    SystemChanged unless the system is as the writer's precondition says.
    """
    if values.held_back:
        found = await registry.find_system(writer.db, system_id)
        values.settle(None if found is None else registry.system_of(found).model_dump())
    return await writer.write(lambda tx: registry.update_system(tx, system_id, values, writer.precondition))


async def delete_system(writer: Writing, system_id: str) -> Row:
    """The system as it was. Its ideas and files stay, and lose their link to it. Raises as `update_system`
    does.
    """
    return await writer.write(lambda tx: registry.delete_system(tx, system_id, writer.precondition))


async def _count(db: Database, query: SystemQuery) -> int:
    if _by_text(query):
        return await match.count_matching(db, query, registry.where_of(query))
    return await registry.count_systems(db, query)


def _by_text(wanted: SystemFilter) -> bool:
    return wanted.tag is not None or wanted.search is not None
