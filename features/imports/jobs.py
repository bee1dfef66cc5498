"""Job `import.lowdb`."""

from typing import Final

from core.jobs import JobContext, JobKind, JsonObject
from features.imports.lowdb.source import LowDbSource
from features.imports.pipeline.run import run_import
from features.imports.schemas import EXCLUSIVE, KIND, LowDbArguments
from features.imports.storage.work import done_once


async def run(context: JobContext) -> JsonObject:
    arguments = LowDbArguments.model_validate(context.job.arguments)
    return await done_once(context, lambda folder: run_import(context, LowDbSource(arguments, folder)))


LOWDB: Final = JobKind(
    KIND,
    run,
    exclusive=EXCLUSIVE,
    local=True,
    public_arguments=("source", "filename", "onConflict", "dryRun", "maxRejects", "sinceLast", "sha256"),
    kept=True,
)
