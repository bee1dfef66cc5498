"""Job `export.lowdb`. It begins anew after an interruption: its file appears only when it is complete."""

import asyncio
import time
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Final

import structlog

from core.database.client import Database
from core.database.transaction import unit_of_work
from core.jobs import JobContext, JobKind, JsonObject
from features.exports import service
from features.exports.lowdb.content import Content
from features.exports.lowdb.target import Target, default_mode
from features.exports.schemas import KIND, Arguments, Result
from features.items import api as items

_TIMEOUT: Final = timedelta(hours=12)
_PRIVATE: Final = 0o600

log = structlog.get_logger(__name__)


async def run(context: JobContext) -> JsonObject:
    arguments = Arguments.model_validate(context.job.arguments)
    begun_at = time.perf_counter()
    if arguments.path is None:
        path, mode = (
            await asyncio.to_thread(service.file_of, context.settings, context.job.id, make=True),
            _PRIVATE,
        )
    else:
        path, mode = Path(arguments.path), default_mode()
    owner = f"{context.job.id}.{context.job.fencing_token}"
    with closing(await asyncio.to_thread(Target, path, owner)) as target:

        async def write(tx: Database) -> Result:
            return await _write(context, tx, arguments, target)

        result = await unit_of_work(context.db, write, timeout=_TIMEOUT, isolation="RepeatableRead")
        await asyncio.to_thread(target.replace, mode=mode)
    result.bytes, result.sha256 = target.bytes, target.sha256
    result.seconds = round(time.perf_counter() - begun_at, 3)
    log.info("export.written", records=result.records, bytes=result.bytes, sha256=result.sha256)
    return result.model_dump(by_alias=True)


async def _write(context: JobContext, tx: Database, arguments: Arguments, target: Target) -> Result:
    """Write the export from one snapshot, however long it takes: writers are not held up."""
    result = Result(filename=arguments.filename)
    await asyncio.to_thread(target.restart)
    await context.progress(phase="export", done=0, total=await items.count(tx))
    async for text in Content(tx, result):
        await asyncio.to_thread(target.write, text.encode())
        await context.progress(done=result.records - result.unusable)
        await context.raise_if_stopping()
    return result


LOWDB: Final = JobKind(KIND, run, local=True, public_arguments=("filename",))
