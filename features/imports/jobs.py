"""Jobs of imports, one kind for each source."""

from pathlib import Path
from typing import Final

from core.jobs import JobContext, JobKind, JsonObject
from features.imports.csv.source import CsvSource
from features.imports.lowdb.source import LowDbSource
from features.imports.pipeline.run import run_import
from features.imports.pipeline.source import Source
from features.imports.registry.source import RegistrySource
from features.imports.schemas import EXCLUSIVE, SOURCES, FileArguments, RegistryArguments
from features.imports.storage.work import done_once

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


JOBS: Final = tuple(
    JobKind(kind, run, exclusive=EXCLUSIVE, local=True, public_arguments=_SHOWN, kept=True)
    for kind in SOURCES.values()
)
