"""Jobs `import.questdb` and `import.postgres`: their phases, how they resume, and their results."""

import asyncio
from pathlib import Path
from typing import Final

from core.jobs import JobContext, JobKind, JsonObject
from features.imports.errors import SourceChanged
from features.imports.lowdb.spool import REJECTS, sha256_of
from features.imports.registry import captured
from features.imports.registry.judge import spool_of
from features.imports.registry.load import load
from features.imports.registry.preflight import examine
from features.imports.registry.report import report
from features.imports.registry.schemas import KINDS, Arguments, Checkpoint
from features.imports.registry.verify import verify
from features.imports.schemas import EXCLUSIVE
from features.imports.storage.work import close, done_once


async def run(context: JobContext) -> JsonObject:
    arguments = Arguments.model_validate(context.job.arguments)
    return await done_once(context, lambda folder: _import(context, arguments, folder))


async def _import(context: JobContext, arguments: Arguments, folder: Path) -> JsonObject:
    await asyncio.to_thread(_make_sure, arguments, folder)
    if arguments.dry_run:
        findings, samples = await examine(context, arguments, folder, first=True)
        await context.progress(phase="report", done=findings.rows, total=findings.rows)
        return report(arguments, Checkpoint(findings=findings), None, samples)
    checkpoint = await _prepare(context, arguments, folder)
    checkpoint = await load(context, arguments, folder, checkpoint)
    checked = await verify(context, arguments, folder, checkpoint)
    await context.progress(phase="report", done=checkpoint.done)
    result = report(arguments, checkpoint, checked, None)
    await close(context, result)
    return result


async def _prepare(context: JobContext, arguments: Arguments, folder: Path) -> Checkpoint:
    """Checkpoint to resume from, with its spools; lost or damaged ones are made again."""
    if context.job.checkpoint is None:
        findings, _ = await examine(context, arguments, folder, first=True)
        return Checkpoint(findings=findings)
    checkpoint = Checkpoint.model_validate(context.job.checkpoint)
    known = checkpoint.findings
    await context.progress(phase="preflight", done=known.rows, total=known.rows, rejected=known.rejected)
    wanted = {spool_of(folder, table): each.spool_sha256 for table, each in known.tables.items()}
    wanted[folder / REJECTS] = known.rejects_sha256
    if await asyncio.to_thread(lambda: all(_sha256(path) == sha256 for path, sha256 in wanted.items())):
        return checkpoint
    again, _ = await examine(context, arguments, folder, first=False)
    found = {spool_of(folder, table): each.spool_sha256 for table, each in again.tables.items()}
    if {**found, folder / REJECTS: again.rejects_sha256} != wanted:
        raise SourceChanged(f"{arguments.filename} is judged differently now; begin a new import")
    return checkpoint


def _make_sure(arguments: Arguments, folder: Path) -> None:
    """Raises SourceChanged if the capture is incomplete or damaged: the source is never read again."""
    for table, sha256 in arguments.captured.items():
        if _sha256(captured.path_of(folder, table)) != sha256:
            raise SourceChanged(
                f"What was captured of {arguments.filename} is lost or damaged; begin a new import"
            )


def _sha256(path: Path) -> str | None:
    try:
        return sha256_of(path)
    except FileNotFoundError:
        return None


_SHOWN: Final = (
    *("source", "filename", "store", "unknown", "onConflict", "dryRun", "maxRejects", "sinceLast"),
)
REGISTRY: Final = tuple(
    JobKind(kind, run, exclusive=EXCLUSIVE, local=True, public_arguments=_SHOWN, kept=True)
    for kind in KINDS.values()
)
