"""Jobs of exports. Interrupted they begin anew: what they write appears only when it is complete."""

import asyncio
import shutil
import time
from collections.abc import AsyncIterable, Awaitable, Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Final, TypeVar, cast

import structlog

from core.database.client import Database
from core.database.transaction import unit_of_work
from core.jobs import JobContext, JobKind, JsonObject
from features.exports import service
from features.exports.lists.content import list_lines
from features.exports.lowdb.content import Content
from features.exports.registry.content import write_registry
from features.exports.schemas import KINDS, Arguments, FileResult, RegistryResult, Result
from features.exports.targets.file import DEFAULT_MODE, FileTarget, Target, identity_of
from features.exports.targets.folder import FolderTarget
from features.items import api as items

_TIMEOUT: Final = timedelta(hours=12)
_PRIVATE: Final = 0o600
AnyTarget = TypeVar("AnyTarget", bound=Target)
AnyResult = TypeVar("AnyResult", bound=FileResult | RegistryResult)

log = structlog.get_logger(__name__)


async def run(context: JobContext) -> JsonObject:
    """Write one file."""
    arguments = Arguments.model_validate(context.job.arguments)
    path = await asyncio.to_thread(service.file_of, context.settings, context.job, make=True)
    mode = _PRIVATE if arguments.path is None else DEFAULT_MODE

    async def write(tx: Database, target: FileTarget) -> FileResult:
        result: FileResult
        if arguments.list is None:
            result = counts = Result(filename=arguments.filename)
            content: AsyncIterable[str] = Content(tx, counts)
            await context.progress(phase="export", done=0, total=await items.count(tx))
        else:
            result = FileResult(filename=arguments.filename)
            content = list_lines(tx, arguments.list, result)
            await context.progress(phase="export", done=0)
        async for text in content:
            await asyncio.to_thread(target.write, text.encode())
            await context.progress(done=result.done)
            await context.raise_if_stopping()
        result.sha256 = target.sha256
        return result

    return await _export(context, FileTarget, path, mode, write)


async def run_registry(context: JobContext) -> JsonObject:
    """Write a folder, or a ZIP file of ours with its content."""
    arguments = Arguments.model_validate(context.job.arguments)
    path = await asyncio.to_thread(service.file_of, context.settings, context.job, make=True)

    async def write(tx: Database, target: FolderTarget) -> RegistryResult:
        result = RegistryResult(filename=arguments.filename)
        await context.progress(phase="export", done=0)
        await write_registry(context, tx, target, result)
        return result

    if arguments.path is not None:
        return await _export(context, FolderTarget, path, DEFAULT_MODE | 0o111, write)
    folder = path.with_suffix("")
    packed = await asyncio.to_thread(path.exists)
    if packed and context.job.checkpoint:  # the process was gone after the ZIP file had its name
        result = cast(JsonObject, context.job.checkpoint["result"])
    else:
        result = await _export(context, FolderTarget, folder, 0o700, write)
        await asyncio.to_thread(_pack, folder, path)
    await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
    return result


async def _export(
    context: JobContext,
    kind: Callable[[Path, str], AnyTarget],
    path: Path,
    mode: int,
    write: Callable[[Database, AnyTarget], Awaitable[AnyResult]],
) -> JsonObject:
    """Write the export from one snapshot, however long it takes: writers are not held up."""
    known, begun_at = context.job.checkpoint or {}, time.perf_counter()
    if known and known["identity"] == await asyncio.to_thread(identity_of, path):
        return cast(JsonObject, known["result"])  # the process was gone after the path had its name
    owner = f"{context.job.id}.{context.job.fencing_token}"
    with closing(await asyncio.to_thread(kind, path, owner)) as target:

        async def work(tx: Database) -> AnyResult:
            await asyncio.to_thread(target.restart)
            return await write(tx, target)

        result = await unit_of_work(context.db, work, timeout=_TIMEOUT, isolation="RepeatableRead")
        result.bytes, result.seconds = target.bytes, round(time.perf_counter() - begun_at, 3)
        shown = result.model_dump(by_alias=True)
        await context.checkpoint(context.db, {"identity": target.identity, "result": shown})
        await asyncio.to_thread(target.finish, mode)
    figures = result.model_dump(include={"bytes", "sha256"})
    log.info("export.written", records=result.done, **figures)
    return shown


def _pack(folder: Path, path: Path) -> None:
    """Make a ZIP file of the folder. Blocking."""
    packed = Path(shutil.make_archive(str(folder) + ".packed", "zip", folder))
    packed.chmod(_PRIVATE)
    packed.rename(path)


CSV: Final = JobKind(KINDS["csv"], run, local=True, public_arguments=("filename", "list"))
LOWDB: Final = JobKind(KINDS["lowdb"], run, local=True, public_arguments=("filename",))
REGISTRY: Final = JobKind(KINDS["registry"], run_registry, local=True, public_arguments=("filename",))
