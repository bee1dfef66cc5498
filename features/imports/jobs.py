"""Jobs of imports, one kind for each source."""

import asyncio
from pathlib import Path
from typing import Final

from core.jobs import JobContext, JobKind, JsonObject
from features.imports.comparison.compare import compare
from features.imports.csv.source import CsvSource
from features.imports.lowdb.source import LowDbSource
from features.imports.pipeline.run import run_import
from features.imports.pipeline.source import Source
from features.imports.registry.source import RegistrySource
from features.imports.schemas import EXCLUSIVE, SOURCES, VERIFY_KIND, FileArguments, RegistryArguments
from features.imports.storage.folders import DIFFERENCES
from features.imports.storage.work import close, done_once
from features.imports.storage.writer import SpoolWriter

_SHOWN: Final = (
    *("source", "filename", "sha256", "store", "into", "map", "unknown"),
    *("onConflict", "dryRun", "maxRejects", "sinceLast"),
)


async def run(context: JobContext) -> JsonObject:
    return await done_once(context, lambda folder: run_import(context, _source(context, folder)))


def _source(context: JobContext, folder: Path) -> Source:
    given = context.job.arguments
    if "store" in given:
        return RegistrySource(RegistryArguments.model_validate(given), folder, context.settings)
    return (CsvSource if "into" in given else LowDbSource)(FileArguments.model_validate(given), folder)


async def run_verify(context: JobContext) -> JsonObject:
    """Compare a source with what stands here; all differences go into a file, the first into the result."""

    async def work(folder: Path) -> JsonObject:
        report = await asyncio.to_thread(SpoolWriter, folder / DIFFERENCES, context.job.fencing_token)

        async def watch(records: int) -> None:
            await context.progress(done=records)
            await context.raise_if_stopping()

        try:
            compared = await compare(
                context.db,
                _source(context, folder),
                lambda found: report.write(found.model_dump_json().encode() + b"\n"),
                watch,
            )
            await asyncio.to_thread(report.finish)
        finally:
            await asyncio.to_thread(report.close)
        result = compared.model_dump(by_alias=True, mode="json")
        await close(context, result)
        return result

    await context.progress(phase="verify", done=0)
    return await done_once(context, work, keep=DIFFERENCES)


VERIFY: Final = JobKind(VERIFY_KIND, run_verify, exclusive=True, local=True, public_arguments=_SHOWN[:4])
JOBS: Final = tuple(
    JobKind(kind, run, exclusive=EXCLUSIVE, local=True, public_arguments=_SHOWN, kept=True)
    for kind in SOURCES.values()
)
