"""Job `systems.check_all`: checks every system, several at a time, and resumes where it stopped."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Final

from core.database.client import Database
from core.database.transaction import unit_of_work
from core.jobs import JobContext, JobKind, JsonObject
from features.systems.errors import SystemNotFound
from features.systems.health.check import check, fetcher_of
from features.systems.queries import checks, registry
from features.systems.schemas import CHECK_ALL_KIND, CheckedSystems, CheckTarget, HealthCheckResult

AT_ONCE: Final = 8
"""Number of systems fetched at the same time."""

CHUNK: Final = 200
"""Number of systems between two checkpoints."""

MAX_RESULTS: Final = 2000
"""Upper bound of the results that are kept; of more systems there are only counts and their stored status."""


STOP_WITHIN_S: Final = 0.2
"""Upper bound of the seconds until a stop of the job is noticed."""


async def run(context: JobContext) -> JsonObject:
    """Check all systems; returns their number by status. An interrupted chunk is checked again."""
    state = CheckedSystems.model_validate(context.job.checkpoint or {})
    total = await registry.count_systems(context.db)
    await context.progress(phase="check", done=state.done, total=total)
    while targets := await checks.targets_after(context.db, state.after, limit=CHUNK):
        found = await _check(context, targets, state.done)
        state = state.with_chunk(targets[-1].id, found, keep=MAX_RESULTS)
        await unit_of_work(context.db, partial(_mark, context, state))
    return {"checked": state.done, **state.model_dump()["counts"]}


async def _mark(context: JobContext, state: CheckedSystems, tx: Database) -> None:
    await context.checkpoint(tx, state.model_dump(mode="json", by_alias=True), done=state.done)


async def _check(context: JobContext, targets: Sequence[CheckTarget], before: int) -> list[HealthCheckResult]:
    """Results in the order of the targets; systems that are deleted meanwhile are left out."""
    fetcher = fetcher_of(context.settings)
    waiting = iter(targets)
    found: dict[str, HealthCheckResult] = {}
    checked = 0
    writing = asyncio.Lock()

    async def work() -> None:
        nonlocal checked
        for target in waiting:
            await context.raise_if_stopping()
            with suppress(SystemNotFound):
                found[target.id] = await check(
                    context.db, fetcher, context.job.asked_by, target, storing=writing
                )
            async with writing:
                checked += 1
                await context.progress(done=before + checked)

    workers = {asyncio.create_task(work()) for _ in range(min(AT_ONCE, len(targets)))}
    pending = workers
    try:
        while pending:
            # Checks that are under way can take long: they are broken off when the job has to stop.
            await context.raise_if_stopping()
            done, pending = await asyncio.wait(
                pending, timeout=STOP_WITHIN_S, return_when=asyncio.FIRST_EXCEPTION
            )
            for worker in done:
                worker.result()
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
    return [found[target.id] for target in targets if target.id in found]


CHECK_ALL: Final = JobKind(CHECK_ALL_KIND, run, exclusive=True)
