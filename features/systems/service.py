"""Service of systems: pages, and what a write changes."""

from collections.abc import Sequence
from typing import Final
from uuid import uuid4

from core.database.client import AuthoredDatabase, Database
from core.database.statements import Place
from core.database.transaction import retried
from core.http.answers.conditional import Precondition
from core.http.answers.envelope import Row
from core.http.answers.long_lists import PAGE, Listing, LongList, Spool
from core.http.answers.pagination import Position, decode_place, encode_place, moment_of
from core.http.answers.projection import Projected
from features.systems.errors import SystemNotFound
from features.systems.queries import registry
from features.systems.schemas import CreateSystem, System, SystemFilter, SystemQuery, UpdateSystem
from features.systems.sql import match

ENTITY: Final = "system"


async def _page(db: Database, query: SystemQuery, cursor: str | None, offset: int, size: int) -> Projected:
    reader = str if query.order_by == "name" else moment_of
    after = None if cursor is None else decode_place(query.scope, cursor, reader, str)
    # One more than asked for tells whether there is a next page.
    if query.order_by == "created_at" and not _by_text(query):
        position = None if after is None else Position(*after)
        found = await registry.find_systems(
            db, query, query.direction, after=position, offset=offset, take=size + 1
        )
        systems = found[:size]
        places: list[Place] = [(system.created_at, system.id) for system in found]
    else:
        where = registry.where_of(query)
        places = await match.find_matching(db, query, where, after=after, offset=offset, take=size + 1)
        systems = await registry.systems_by_id(db, [system_id for _, system_id in places[:size]])
    next_cursor = encode_place(query.scope, *places[size - 1]) if len(places) > size else None
    return _shown(systems, next_cursor)


def _shown(systems: Sequence[System], next_cursor: str | None = None) -> Projected:
    texts = [system.model_dump_json(by_alias=True).encode() for system in systems]
    return Projected(len(systems), b",".join(texts), next_cursor)


async def _count(db: Database, query: SystemQuery) -> int:
    if _by_text(query):
        return await match.count_matching(db, query, registry.where_of(query))
    return await registry.count_systems(db, query)


HELD: Final = 1_000
"""A list of more rows is not held in memory: each is made in Python, on the event loop."""
LIST: Final = Listing(_page, _count, HELD)
ARRAY: Final = Listing(_page, _count, HELD, bare=True)


async def search_systems(db: Database, text: str, *, limit: int | None = None) -> list[System]:
    """Matching systems, the best match first; words in the name count more. Raises LongList without a limit
    for more than are held in memory.
    """
    ids = await match.search_systems(db, text, limit=limit or HELD + 1)
    if limit is None and len(ids) > HELD:
        raise LongList
    return await registry.systems_by_id(db, ids)


async def spool_search(db: Database, text: str, spool: Spool) -> int:
    """Write every matching system, as `search_systems` has them; returns their number."""
    ids = await match.search_systems(db, text)
    for start in range(0, len(ids), PAGE):
        await spool.write(_shown(await registry.systems_by_id(db, ids[start : start + PAGE])))
    return spool.count


async def get_system(db: Database, system_id: str) -> Row:
    found = await registry.find_system(db, system_id)
    if found is None:
        raise SystemNotFound(system_id)
    return registry.row_of(found)


async def create_system(db: AuthoredDatabase, values: CreateSystem) -> tuple[str, Row]:
    """Create a system; returns its id, and the system. Raises SystemNameTaken."""
    system_id = str(uuid4())
    row = await retried(db, lambda tx: registry.create_system(tx, system_id, values))
    return system_id, row


async def update_system(
    db: AuthoredDatabase, system_id: str, values: UpdateSystem, precondition: Precondition
) -> Row:
    """Update the given fields and set `updatedAt`, even when no field is given.

    Raises Invalid for values that only rows of the old service may keep, SystemNameTaken, SystemNotFound;
    SystemChanged unless the system is as the precondition says.
    """
    if values.held_back:
        found = await registry.find_system(db, system_id)
        values.settle(None if found is None else registry.system_of(found).model_dump())
    return await retried(db, lambda tx: registry.update_system(tx, system_id, values, precondition))


async def delete_system(db: AuthoredDatabase, system_id: str, precondition: Precondition) -> Row:
    """Delete a system and return it. Its ideas and files stay, without it. Raises as `update_system`."""
    return await retried(db, lambda tx: registry.delete_system(tx, system_id, precondition))


def _by_text(wanted: SystemFilter) -> bool:
    return wanted.tag is not None or wanted.search is not None
