"""Jobs `import.lowdb` and `import.csv`."""

from typing import Final

from core.jobs import JobContext, JobKind, JsonObject
from features.imports.csv.source import CsvSource
from features.imports.lowdb.source import LowDbSource
from features.imports.pipeline.run import run_import
from features.imports.schemas import EXCLUSIVE, KIND, SOURCES, FileArguments
from features.imports.storage.work import done_once

_SHOWN: Final = ("source", "filename", "onConflict", "dryRun", "maxRejects", "sinceLast", "sha256")


async def run(context: JobContext) -> JsonObject:
    arguments = FileArguments.model_validate(context.job.arguments)
    source = LowDbSource if arguments.into is None else CsvSource
    return await done_once(context, lambda folder: run_import(context, source(arguments, folder)))


LOWDB: Final = JobKind(KIND, run, exclusive=EXCLUSIVE, local=True, public_arguments=_SHOWN, kept=True)
CSV: Final = JobKind(
    SOURCES["csv"],
    run,
    exclusive=EXCLUSIVE,
    local=True,
    public_arguments=(*_SHOWN, "into", "map", "unknown"),
    kept=True,
)
