"""The work of an import's job: in the job's folder, and to its end once, whoever does it."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from core.database.client import Database
from core.database.transaction import unit_of_work
from core.errors import Unavailable
from core.jobs import JobContext, JobInterrupted, JsonObject, LeaseLost
from features.imports.queries import memory
from features.imports.storage.folders import Folders

_RESULT: Final = "result"
_RESUMED: Final = (JobInterrupted, LeaseLost, Unavailable)
"""After these the job goes on later, here or elsewhere, and needs its folder."""


async def done_once(context: JobContext, work: Callable[[Path], Awaitable[JsonObject]]) -> JsonObject:
    """What `work` gives, or what it gave before the job lost its process. Its folder goes when the job has
    ended, and stays when it is to be resumed.
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
        await asyncio.to_thread(folders.remove, context.job.id)
        return result


async def close(context: JobContext, result: JsonObject) -> None:
    """The run is over, and whoever takes the job on from here has only its result to tell."""

    async def work(tx: Database) -> None:
        await memory.finish_run(tx, context.job.id)
        await context.checkpoint(tx, {_RESULT: result})

    await unit_of_work(context.db, work)
