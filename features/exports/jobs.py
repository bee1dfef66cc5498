"""Jobs of exports. Interrupted they begin anew: what they write appears only when it is complete."""

import asyncio
import shutil
import time
from collections.abc import AsyncIterable
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Final

import structlog

from core.database.client import Database
from core.database.transaction import unit_of_work
from core.jobs import JobContext, JobKind, JsonObject
from features.exports import service
from features.exports.lists.content import list_lines
from features.exports.lowdb.content import Content
from features.exports.lowdb.target import Target, default_mode
from features.exports.registry.content import write_registry
from features.exports.registry.folder import Folder
from features.exports.schemas import KINDS, Arguments, FileResult, RegistryResult, Result
from features.items import api as items

_TIMEOUT: Final = timedelta(hours=12)
_PRIVATE: Final = 0o600

log = structlog.get_logger(__name__)


async def run(context: JobContext) -> JsonObject:
    arguments = Arguments.model_validate(context.job.arguments)
    begun_at = time.perf_counter()
    path, mode = await _target(context, arguments)
    owner = f"{context.job.id}.{context.job.fencing_token}"
    with closing(await asyncio.to_thread(Target, path, owner)) as target:

        async def write(tx: Database) -> FileResult:
            return await _write(context, tx, arguments, target)

        result = await unit_of_work(context.db, write, timeout=_TIMEOUT, isolation="RepeatableRead")
        await asyncio.to_thread(target.replace, mode=mode)
    result.bytes, result.sha256 = target.bytes, target.sha256
    result.seconds = round(time.perf_counter() - begun_at, 3)
    log.info("export.written", records=result.records, bytes=result.bytes, sha256=result.sha256)
    return result.model_dump(by_alias=True)


async def _write(context: JobContext, tx: Database, arguments: Arguments, target: Target) -> FileResult:
    """Write the export from one snapshot, however long it takes: writers are not held up."""
    await asyncio.to_thread(target.restart)
    result, content = await _begun(context, tx, arguments)
    async for text in content:
        await asyncio.to_thread(target.write, text.encode())
        await context.progress(done=result.done)
        await context.raise_if_stopping()
    return result


async def _begun(
    context: JobContext, tx: Database, arguments: Arguments
) -> tuple[FileResult, AsyncIterable[str]]:
    if arguments.list is not None:
        listed = FileResult(filename=arguments.filename)
        await context.progress(phase="export", done=0)
        return listed, list_lines(tx, arguments.list, listed)
    result = Result(filename=arguments.filename)
    await context.progress(phase="export", done=0, total=await items.count(tx))
    return result, Content(tx, result)


async def run_registry(context: JobContext) -> JsonObject:
    arguments = Arguments.model_validate(context.job.arguments)
    begun_at = time.perf_counter()
    path, mode = await _target(context, arguments)
    own = arguments.path is not None
    at = path if own else path.with_suffix("")
    if not own:  # left by an earlier run of this job
        await asyncio.to_thread(shutil.rmtree, at, ignore_errors=True)
    with closing(await asyncio.to_thread(Folder, at, context.job.id, context.job.fencing_token)) as folder:

        async def write(tx: Database) -> RegistryResult:
            result = RegistryResult(filename=arguments.filename)
            await asyncio.to_thread(folder.restart)
            await context.progress(phase="export", done=0)
            await write_registry(context, tx, folder, result)
            return result

        result = await unit_of_work(context.db, write, timeout=_TIMEOUT, isolation="RepeatableRead")
        await asyncio.to_thread(folder.finish, default_mode() | 0o111 if own else 0o700)
    result.bytes = folder.bytes
    if not own:
        await asyncio.to_thread(_pack, at, path, mode)
    result.seconds = round(time.perf_counter() - begun_at, 3)
    log.info("export.written", records=result.rows, bytes=result.bytes)
    return result.model_dump(by_alias=True)


async def _target(context: JobContext, arguments: Arguments) -> tuple[Path, int]:
    """Path to write to, and the mode of a new file there."""
    if arguments.path is not None:
        return Path(arguments.path), default_mode()
    return await asyncio.to_thread(service.file_of, context.settings, context.job, make=True), _PRIVATE


def _pack(folder: Path, path: Path, mode: int) -> None:
    """Make a ZIP file of the folder, which then goes. Blocking."""
    packed = Path(shutil.make_archive(str(folder) + ".packed", "zip", folder))
    packed.chmod(mode)
    packed.rename(path)
    shutil.rmtree(folder)


CSV: Final = JobKind(KINDS["csv"], run, local=True, public_arguments=("filename", "list"))
LOWDB: Final = JobKind(KINDS["lowdb"], run, local=True, public_arguments=("filename",))
REGISTRY: Final = JobKind(KINDS["registry"], run_registry, local=True, public_arguments=("filename",))
