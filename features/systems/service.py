"""The rules of the registry: what a page holds, and writes that are audited in the same transaction."""

from typing import Final
from uuid import uuid4

from pydantic import JsonValue

from core.cache import Cache
from core.database.client import Database
from core.database.transaction import transaction
from core.deps import ActorName
from core.http.envelope import ListEnvelope, listed
from core.http.timestamps import now
from features.audit import api as audit
from features.systems import queries
from features.systems.cache import tags_of
from features.systems.errors import SystemNotFound
from features.systems.schemas import CreateSystem, StoredSystem, System, SystemQuery, UpdateSystem

ENTITY: Final = "system"


async def list_systems(db: Database, query: SystemQuery) -> ListEnvelope[System]:
    """One page with at most two queries; without limit and offset one query and every system that matches."""
    systems = await queries.find_systems(
        db, query, query.order_by, query.direction, offset=query.offset, take=query.limit
    )
    complete = query.limit is None or len(systems) < query.limit
    counted = complete and not query.offset
    total = len(systems) if counted else await queries.count_systems(db, query)
    return listed(systems, total=total)


async def get_system(db: Database, system_id: str) -> StoredSystem:
    stored = await queries.find_system(db, system_id)
    if stored is None:
        raise SystemNotFound(system_id)
    return stored


async def create_system(db: Database, cache: Cache, actor: ActorName, values: CreateSystem) -> System:
    """Raises SystemNameTaken."""
    system_id = str(uuid4())
    async with cache.invalidating(*tags_of(system_id)), transaction(db) as tx:
        created = (await queries.create_system(tx, system_id, values, now())).system
        await audit.record_change(
            tx, actor, "created", ENTITY, system_id, before=None, after=facts_of(created)
        )
    return created


async def update_system(
    db: Database, cache: Cache, actor: ActorName, system_id: str, values: UpdateSystem
) -> System:
    """Merges the given fields and sets `updatedAt`, even when no field is given. Raises SystemNameTaken."""
    tags = tags_of(system_id, known_elsewhere="name" in values.model_fields_set)
    async with cache.invalidating(*tags), transaction(db) as tx:
        before = await queries.lock_system(tx, system_id)
        after = None if before is None else await queries.update_system(tx, system_id, values, now())
        if before is None or after is None:
            raise SystemNotFound(system_id)
        await audit.record_change(
            tx,
            actor,
            "updated",
            ENTITY,
            system_id,
            before=facts_of(before.system),
            after=facts_of(after.system),
        )
    return after.system


async def delete_system(db: Database, cache: Cache, actor: ActorName, system_id: str) -> System:
    """Its ideas and files stay, and lose their link to it."""
    async with cache.invalidating(*tags_of(system_id, known_elsewhere=True)), transaction(db) as tx:
        deleted = await queries.lock_system(tx, system_id)
        if deleted is None:
            raise SystemNotFound(system_id)
        await queries.delete_system(tx, system_id)
        await audit.record_change(
            tx, actor, "deleted", ENTITY, system_id, before=facts_of(deleted.system), after=None
        )
    return deleted.system


def facts_of(system: System) -> dict[str, JsonValue]:
    """The system as the audit trail compares it."""
    return system.model_dump(mode="json", by_alias=True)
