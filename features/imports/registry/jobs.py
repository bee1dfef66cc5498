"""Jobs `import.questdb` and `import.postgres`."""

from typing import Final

from core.jobs import JobContext, JobKind, JsonObject
from features.imports.pipeline.run import run_import
from features.imports.registry.source import RegistrySource
from features.imports.registry.tables import KINDS
from features.imports.schemas import EXCLUSIVE, RegistryArguments
from features.imports.storage.work import done_once


async def run(context: JobContext) -> JsonObject:
    arguments = RegistryArguments.model_validate(context.job.arguments)
    return await done_once(
        context, lambda folder: run_import(context, RegistrySource(arguments, folder, context.settings))
    )


_SHOWN: Final = (
    *("source", "filename", "store", "unknown", "onConflict", "dryRun", "maxRejects", "sinceLast"),
)
REGISTRY: Final = tuple(
    JobKind(kind, run, exclusive=EXCLUSIVE, local=True, public_arguments=_SHOWN, kept=True) for kind in KINDS
)
