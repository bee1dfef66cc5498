"""The rules of the registry: what a page holds, and writes that are audited in the same transaction."""

from typing import Final
from uuid import uuid4

from pydantic import JsonValue

from core.cache import Cache
from core.database.client import Database
from core.database.transaction import unit_of_work
from core.deps import ActorName
from core.http.conditional import Precondition, model_etag
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


async def create_system(db: Database, cache: Cache, actor: ActorName, values: CreateSystem) -> StoredSystem:
    """Raises SystemNameTaken."""
    system_id = str(uuid4())

    async def create(tx: Database) -> StoredSystem:
        created = await queries.create_system(tx, system_id, values, now())
        after = facts_of(created.system)
        await audit.record_change(tx, actor, "created", ENTITY, system_id, before=None, after=after)
        return created

    async with cache.invalidating(*tags_of(system_id)):
        return await unit_of_work(db, create)


async def update_system(
    db: Database,
    cache: Cache,
    actor: ActorName,
    system_id: str,
    values: UpdateSystem,
    precondition: Precondition,
) -> StoredSystem:
    """Merges the given fields and sets `updatedAt`, even when no field is given. Raises SystemNameTaken, and
    PreconditionFailed when the client has seen an older version.
    """

    if values.held_back:
        stored = await queries.find_system(db, system_id)
        values.settle(None if stored is None else facts_of(stored.system))

    async def update(tx: Database) -> StoredSystem:
        before = await _locked(tx, system_id, precondition)
        after = await queries.update_system(tx, system_id, values, now())
        if after is None:
            raise SystemNotFound(system_id)
        facts = facts_of(before.system), facts_of(after.system)
        await audit.record_change(tx, actor, "updated", ENTITY, system_id, before=facts[0], after=facts[1])
        return after

    tags = tags_of(system_id, known_elsewhere="name" in values.model_fields_set)
    async with cache.invalidating(*tags):
        return await unit_of_work(db, update)


async def delete_system(
    db: Database, cache: Cache, actor: ActorName, system_id: str, precondition: Precondition
) -> System:
    """Its ideas and files stay, and lose their link to it. Raises PreconditionFailed as an update does."""

    async def delete(tx: Database) -> System:
        deleted = (await _locked(tx, system_id, precondition)).system
        await queries.delete_system(tx, system_id)
        before = facts_of(deleted)
        await audit.record_change(tx, actor, "deleted", ENTITY, system_id, before=before, after=None)
        return deleted

    async with cache.invalidating(*tags_of(system_id, known_elsewhere=True)):
        return await unit_of_work(db, delete)


def etag_of(stored: StoredSystem) -> str:
    return model_etag(stored.row_version, stored.system)


async def _locked(tx: Database, system_id: str, precondition: Precondition) -> StoredSystem:
    stored = await queries.lock_system(tx, system_id)
    if stored is None:
        raise SystemNotFound(system_id)
    precondition.check(etag_of(stored), f"System with id {system_id}")
    return stored


def facts_of(system: System) -> dict[str, JsonValue]:
    """The system as the audit trail compares it."""
    return system.model_dump(mode="json", by_alias=True)
