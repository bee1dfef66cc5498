"""Systems for other slices: existence, names, statistics, search, bulk takeover, and requests to addresses
that users name, with the checks that those of health checks have (`webhook_fetcher`).

An answer that shows the name of a system, or that something belongs to one, carries `SYSTEM_TAGS` in its
cache policy; one that shows or counts systems carries `LIST_TAGS`. Whoever writes the table in bulk
invalidates `SYSTEM_TAGS`. `TAKEOVER` is the table as imports know it.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from core.database import statements
from core.database.client import Database
from core.database.statements import hold_rows
from core.settings import Settings
from features.systems import service
from features.systems.cache import LIST_TAGS, SYSTEM_TAGS
from features.systems.outbound.fetch import Fetcher, FetchError
from features.systems.outbound.targets import Permission
from features.systems.outbound.url import fault_of_url
from features.systems.queries import registry
from features.systems.schemas import (
    DESCRIPTION_LENGTH,
    ID_LENGTH,
    STORED_NAME_LENGTH,
    URL_LENGTH,
    WORD_LENGTH,
    CreateSystem,
    Status,
    StoredSystem,
    System,
    SystemQuery,
    SystemsStats,
    SystemType,
)
from features.systems.service import ENTITY, LIST
from features.systems.settings import SystemSettings
from features.systems.sql.bulk import TAKEOVER, load_systems


def webhook_fetcher(settings: Settings, *, timeout_s: float) -> Fetcher:
    """Client for requests to webhooks: of public addresses, and those of WEBHOOK_ALLOW."""
    permission = Permission.parse(settings.of(SystemSettings).webhook_allow)
    return Fetcher(permission, setting="WEBHOOK_ALLOW", timeout_s=timeout_s)


async def exists(db: Database, system_id: str) -> bool:
    """True if the system exists. In a transaction it is locked against deletion until that ends."""
    return bool(await hold(db, [system_id]))


async def hold(tx: Database, ids: Collection[str]) -> frozenset[str]:
    """Ids among these that are systems; they are locked against deletion until the transaction ends."""
    return await hold_rows(tx, "systems", ids, "KEY SHARE")


async def names_of(db: Database, ids: Collection[str]) -> dict[str, str]:
    """Names of those systems that exist, by id; one query, none for no ids."""
    return await registry.names_of(db, ids) if ids else {}


async def names_taken(db: Database, wanted_by: Mapping[str, str]) -> dict[str, str]:
    """Names that another system has, with its id. `wanted_by`: each name with the id that wants it."""
    return await registry.names_taken(db, wanted_by) if wanted_by else {}


async def statistics(db: Database) -> SystemsStats:
    """Statistics of systems, by one grouped query."""
    return await registry.statistics(db)


async def search(db: Database, text: str, *, limit: int) -> list[System]:
    """Matching systems, the best match first."""
    return await service.search_systems(db, text, limit=limit)


async def created_by_day(db: Database, since: datetime) -> dict[str, int]:
    """Numbers of systems registered on each day (UTC, `2025-10-23`) from `since` on; days without one are
    left out.
    """
    return await statements.created_by_day(db, "systems", since)


async def load(tx: Database, stored: Sequence[StoredSystem]) -> frozenset[str]:
    """Write systems with their ids, times and versions in one statement, without audit entries. One whose id
    or name is taken is left out; returns the ids of the others.
    """
    return await load_systems(tx, stored)
