"""Job `import.lowdb`: its phases, how it resumes, and its result."""

import asyncio
from pathlib import Path
from typing import Final

from core.jobs import JobContext, JobKind, JsonObject
from features.imports.errors import SourceChanged, SourceUnavailable
from features.imports.lowdb.spool import RECORDS, REJECTS, sha256_of
from features.imports.phases.load import load
from features.imports.phases.preflight import examine
from features.imports.phases.verify import verify
from features.imports.schemas import EXCLUSIVE, KIND, Arguments, Checked, Checkpoint, Phase, Result, Sample
from features.imports.storage.folders import SOURCE
from features.imports.storage.work import close, done_once


async def run(context: JobContext) -> JsonObject:
    arguments = Arguments.model_validate(context.job.arguments)
    return await done_once(context, lambda folder: _import(context, arguments, folder))


async def _import(context: JobContext, arguments: Arguments, folder: Path) -> JsonObject:
    source = Path(arguments.path) if arguments.path is not None else folder / SOURCE
    if arguments.dry_run:
        findings, samples = await examine(context, arguments, source, folder, first=True)
        await context.progress(phase="report", done=findings.accepted, total=findings.accepted)
        return _report(arguments, Checkpoint(findings=findings, changes=findings.changes), None, samples)
    checkpoint = await _prepare(context, arguments, source, folder)
    checkpoint = await load(context, arguments, folder, checkpoint)
    checked = await verify(context, arguments, folder, checkpoint)
    await context.progress(phase="report", done=checkpoint.done)
    result = _report(arguments, checkpoint, checked, None)
    await close(context, result)
    return result


async def _prepare(context: JobContext, arguments: Arguments, source: Path, folder: Path) -> Checkpoint:
    """Checkpoint to resume from, with its spools. Raises SourceChanged or SourceUnavailable if a resumed
    job's source or spools are not those that it began with.
    """
    if context.job.checkpoint is None:
        findings, _ = await examine(context, arguments, source, folder, first=True)
        return Checkpoint(findings=findings, changes=findings.changes)
    checkpoint = Checkpoint.model_validate(context.job.checkpoint)
    known = checkpoint.findings
    await context.progress(
        phase="preflight", done=known.records, total=known.records, rejected=known.rejected
    )
    spools = await asyncio.to_thread(lambda: (_sha256(folder / RECORDS), _sha256(folder / REJECTS)))
    whole = spools == (known.spool_sha256, known.rejects_sha256)
    found = await asyncio.to_thread(_sha256, source)
    if found is None and not whole:
        raise SourceUnavailable(
            f"{arguments.filename} is gone, and so is what was read of it; import it anew"
        )
    if found not in (None, known.sha256):
        raise SourceChanged(f"{arguments.filename} has changed since the import began; begin a new import")
    if whole:
        return checkpoint
    again, _ = await examine(context, arguments, source, folder, first=False)
    if (again.spool_sha256, again.rejects_sha256) != (known.spool_sha256, known.rejects_sha256):
        raise SourceChanged(f"{arguments.filename} is judged differently now; begin a new import")
    return checkpoint


def _sha256(path: Path) -> str | None:
    """Digest of the file in hex, None if it does not exist. Raises SourceUnavailable."""
    try:
        return sha256_of(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SourceUnavailable(f"{path.name} cannot be read: {error.strerror}") from error


def _report(
    arguments: Arguments, checkpoint: Checkpoint, checked: Checked | None, samples: list[Sample] | None
) -> JsonObject:
    findings = checkpoint.findings
    seconds: dict[Phase, float] = {"preflight": round(findings.seconds, 3)}
    rows: dict[Phase, int] = {"preflight": findings.records}
    if checked is not None:
        seconds |= {"load": round(checkpoint.seconds, 3), "verify": round(checked.seconds, 3)}
        rows |= {"load": checkpoint.done, "verify": checkpoint.done}
    result = Result(
        dry_run=arguments.dry_run,
        on_conflict=arguments.on_conflict,
        filename=arguments.filename,
        sha256=findings.sha256,
        bytes=findings.bytes,
        records=findings.records,
        rejected=findings.rejected,
        imported=checkpoint.imported,
        updated=checkpoint.updated,
        unchanged=checkpoint.unchanged,
        kept=checkpoint.kept,
        differing=checked.kept if checked and not arguments.since_last else 0,
        verified=checked.verified if checked else 0,
        changed_since=checked.changed_since if checked else 0,
        existing=findings.existing if arguments.dry_run else None,
        ignored=findings.ignored,
        since_last=checkpoint.changes,
        rejects=samples,
        seconds=seconds,
        rows_per_second={phase: round(rows[phase] / max(seconds[phase], 0.001)) for phase in rows},
    )
    return result.model_dump(by_alias=True, exclude_none=True, mode="json")


LOWDB: Final = JobKind(
    KIND,
    run,
    exclusive=EXCLUSIVE,
    local=True,
    public_arguments=("source", "filename", "onConflict", "dryRun", "maxRejects", "sinceLast", "sha256"),
    kept=True,
)
