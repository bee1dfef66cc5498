"""Acceptance of an import, and the execution of its job in its folder, to its end only once."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final, cast

import structlog

from core.database.client import Author, Database
from core.database.transaction import unit_of_work
from core.errors import Unavailable
from core.jobs import JobContext, JobInterrupted, Jobs, JobView, JsonObject, LeaseLost
from core.settings import Settings
from features.imports.queries import journal
from features.imports.schemas import KIND, SOURCES, VERIFY_KIND, Arguments
from features.imports.storage.folders import DIFFERENCES, Folders

_RESULT: Final = "result"
_RESUMED: Final = (JobInterrupted, LeaseLost, Unavailable)
"""Errors after which the job is resumed later, here or elsewhere, and needs its folder."""

log = structlog.get_logger(__name__)


async def accept(
    db: Database,
    jobs: Jobs,
    settings: Settings,
    actor: Author,
    prepare: Callable[[Path], Awaitable[Arguments]],
    *,
    verify: bool = False,
) -> JobView:
    """Enqueue an import, or a comparison, whose source is prepared in what becomes its folder; whatever goes
    wrong leaves no file behind. Raises JobConflict while another one has not ended, before anything is
    prepared if that is known by then.
    """
    await jobs.raise_if_taken(VERIFY_KIND if verify else KIND)
    folders = Folders(settings.data_dir)
    outdated = await _sweep(jobs, folders)
    async with folders.incoming() as folder:
        arguments = await prepare(folder)
        stored = arguments.model_dump(by_alias=True, exclude_none=True, mode="json")

        async def work(tx: Database) -> JobView:
            nonlocal folder
            kind = VERIFY_KIND if verify else SOURCES[arguments.source]
            job = await jobs.enqueue(tx, kind, stored, actor)
            # Should the commit fail now, the folder has no job and the next sweep takes it.
            folder = await asyncio.to_thread(folders.adopt, folder, job.id)
            return job

        job = await unit_of_work(db, work)
    await asyncio.to_thread(folders.sweep, outdated, ())
    return job


async def done_once(
    context: JobContext, work: Callable[[Path], Awaitable[JsonObject]], *, keep: str | None = None
) -> JsonObject:
    """Result of `work`, or the stored one if the job lost its process after it. The folder is removed when
    the job has ended, but for a file to `keep` until the next one begins, and stays when it is to be resumed.
    """
    stored = (context.job.checkpoint or {}).get(_RESULT)
    if isinstance(stored, dict):
        return stored
    folders = Folders(context.settings.data_dir)
    async with folders.occupied(context.job.id) as folder:
        try:
            result = await work(folder)
        except Exception as error:
            if not isinstance(error, _RESUMED):
                await asyncio.to_thread(folders.remove, context.job.id)
            raise
        await asyncio.to_thread(folders.remove, context.job.id, keep)
        return result


def result_of(job: JobView) -> JsonObject:
    """Result of a job whose run is finished, even if it lost its process before its own end."""
    return job.result or cast(JsonObject, (job.checkpoint or {}).get(_RESULT) or {})


async def close(context: JobContext, result: JsonObject) -> None:
    """Finish the run, if it is one, and store its result in the checkpoint: a resumed job only returns it."""

    async def work(tx: Database) -> None:
        await journal.finish_run(tx, context.job.id)
        await context.checkpoint(tx, {_RESULT: result})

    await unit_of_work(context.db, work)


async def _sweep(jobs: Jobs, folders: Folders) -> list[str]:
    """Remove folders of uploads that broke off and of jobs that have ended: another one may need the room.
    Returns those with what a comparison found, which is kept until there is another job.
    """
    candidates = await asyncio.to_thread(folders.candidates)
    if not candidates:
        return []
    live: set[str] = set()
    for state in ("queued", "running"):
        live |= {job.id for job in (await jobs.list(state=state)).jobs}
    ended = [name for name in candidates if name not in live]
    kept = await asyncio.to_thread(folders.with_file, ended, DIFFERENCES)
    if removed := await asyncio.to_thread(folders.sweep, candidates, live.union(kept)):
        log.info("import.folders_swept", removed=removed)
    return kept
