"""Queries of health checks. Functions take `db` first and open no transaction."""

from typing import cast

from prisma.bases import BaseSystem
from prisma.types import SystemUpdateInput, SystemWhereInput

from core.database.client import Database
from features.systems.errors import SystemNotFound
from features.systems.schemas import CheckTarget, Finding


class CheckedSystem(BaseSystem):
    """Columns of a system that a check needs."""

    id: str
    url: str | None = None


async def store_finding(db: Database, target: CheckTarget, finding: Finding, *, same_status: bool) -> bool:
    """Store a result and return True, unless a later one is stored or the system has another URL by now; with
    `same_status` also unless it has another status.
    """
    earlier: list[SystemWhereInput] = [{"last_checked": None}, {"last_checked": {"lte": finding.checked_at}}]
    where: SystemWhereInput = {"id": target.id, "url": target.url, "OR": earlier}
    if same_status:
        where["status"] = finding.status
    found = {"status": finding.status, "last_checked": finding.checked_at}
    data = cast(SystemUpdateInput, {**found, "response_time_ms": finding.response_time_ms})
    return bool(await db.system.update_many(where=where, data=data))


async def get_target(db: Database, system_id: str) -> CheckTarget:
    """Target of a check. Raises SystemNotFound."""
    row = await CheckedSystem.prisma(db).find_unique(where={"id": system_id})
    if row is None:
        raise SystemNotFound(system_id)
    return CheckTarget(row.id, row.url)


async def targets_after(db: Database, system_id: str, *, limit: int) -> list[CheckTarget]:
    """Next targets in the order of the systems' ids."""
    rows = await CheckedSystem.prisma(db).find_many(
        where={"id": {"gt": system_id}}, order={"id": "asc"}, take=limit
    )
    return [CheckTarget(row.id, row.url) for row in rows]
