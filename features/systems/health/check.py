"""Health check of one system: fetch its URL, classify the answer, store the status.

An answer of 2xx or 3xx is `online`, any other answer and a broken one `error` (stored as `degraded`), none
`offline`. Without a URL the status is `unknown`, and nothing is stored.
"""

import asyncio
from contextlib import nullcontext
from typing import Final

from core.database.client import Author, Database
from core.database.transaction import retried, unaudited, unit_of_work
from core.http.request.fields import now
from core.settings import Settings
from features.systems.outbound.fetch import Broken, Fetcher, FetchError
from features.systems.outbound.targets import Permission
from features.systems.queries import checks
from features.systems.schemas import CheckStatus, CheckTarget, Finding, HealthCheckResult, Status
from features.systems.settings import SystemSettings

STORED_AS: Final[dict[CheckStatus, Status]] = {"online": "online", "error": "degraded", "offline": "offline"}

_MILLISECONDS: Final = 1000


def fetcher_of(settings: Settings) -> Fetcher:
    return Fetcher(Permission.parse(settings.of(SystemSettings).healthcheck_allow))


async def check(
    db: Database,
    fetcher: Fetcher,
    author: Author,
    target: CheckTarget,
    *,
    storing: asyncio.Lock | None = None,
) -> HealthCheckResult:
    """Result of a check, stored unless there is no URL. Holds no database connection while it fetches;
    `storing` lets checks write one after the other. Raises SystemNotFound when the system was deleted
    meanwhile.
    """
    if target.url is None:
        return HealthCheckResult(
            system_id=target.id, status="unknown", last_checked=now(), error="Has no URL to check"
        )
    result = await examine(fetcher, target.id, target.url)
    async with storing or nullcontext():
        await _store(db, author, target, result)
    return result


async def examine(fetcher: Fetcher, system_id: str, url: str) -> HealthCheckResult:
    try:
        answer = await fetcher.get(url)
    except FetchError as error:
        status: CheckStatus = "error" if isinstance(error, Broken) else "offline"
        return HealthCheckResult(system_id=system_id, status=status, last_checked=now(), error=str(error))
    fine = 200 <= answer.status < 400
    return HealthCheckResult(
        system_id=system_id,
        status="online" if fine else "error",
        last_checked=now(),
        response_time=round(answer.seconds * _MILLISECONDS),
        error=None if fine else f"Answered with status {answer.status}",
    )


async def _store(db: Database, author: Author, target: CheckTarget, result: HealthCheckResult) -> None:
    """Store a result, unless a later one is stored, or the system has another URL by now. An audit entry is
    written only if the status changes.
    """
    milliseconds = None if result.response_time is None else round(result.response_time)
    finding = Finding(STORED_AS[result.status], result.last_checked, milliseconds)

    async def store_same(tx: Database) -> bool:
        await unaudited(tx, "systems")
        return await checks.store_finding(tx, target, finding, same_status=True)

    async def store_other(tx: Database) -> bool:
        return await checks.store_finding(tx, target, finding, same_status=False)

    stored = await unit_of_work(db, store_same) or await retried(db.acting_as(author, "checked"), store_other)
    if not stored:
        await checks.get_target(db, target.id)
