"""Run of an import's job: its phases, how it resumes, and its result."""

import asyncio

from pydantic import ValidationError

from core.jobs import JobContext, JsonObject
from features.imports.errors import SourceChanged
from features.imports.pipeline.checkpoint import Checkpoint
from features.imports.pipeline.load import load
from features.imports.pipeline.preflight import examine
from features.imports.pipeline.report import report
from features.imports.pipeline.source import Source
from features.imports.pipeline.spool import REJECTS, sha256_of, spool_of
from features.imports.pipeline.verify import verify
from features.imports.storage.work import close


async def run_import(context: JobContext, source: Source) -> JsonObject:
    if source.arguments.dry_run:
        await asyncio.to_thread(source.raise_if_changed, None, spooled=False)
        found = await examine(context, source, first=True)
        done = found.count("accepted")
        await context.progress(phase="report", done=done, total=done)
        return report(source, found)
    checkpoint = await load(context, source, await _prepare(context, source))
    checkpoint = await verify(context, source, checkpoint)
    await context.progress(phase="report", done=checkpoint.count("done"))
    result = report(source, checkpoint)
    await close(context, result)
    return result


async def _prepare(context: JobContext, source: Source) -> Checkpoint:
    """Checkpoint to resume from, with its spools; lost or damaged ones are made again. Raises SourceChanged
    or SourceUnavailable if a resumed job's source or spools are not those that it began with.
    """
    if context.job.checkpoint is None:
        await asyncio.to_thread(source.raise_if_changed, None, spooled=False)
        return await examine(context, source, first=True)
    name = source.arguments.filename
    try:
        known = Checkpoint.model_validate(context.job.checkpoint)
    except ValidationError:
        raise SourceChanged(
            f"The import of {name} was begun by another version of Handover; begin a new import"
        ) from None
    records, rejected = known.count("records"), known.count("rejected")
    await context.progress(phase="preflight", done=records, total=records, rejected=rejected)
    spooled = await asyncio.to_thread(_spooled, source, known)
    await asyncio.to_thread(source.raise_if_changed, known.sha256, spooled=spooled)
    if not spooled:
        again = await examine(context, source, first=False)
        spooled = await asyncio.to_thread(_spooled, source, known)
        if not spooled or again.tables.keys() != known.tables.keys():
            raise SourceChanged(f"{name} is judged differently now; begin a new import")
    return known


def _spooled(source: Source, known: Checkpoint) -> bool:
    """True if the spools are those that the job began with."""
    wanted = {spool_of(source.folder, table): tally.spool_sha256 for table, tally in known.tables.items()}
    wanted[source.folder / REJECTS] = known.rejects_sha256
    return all(sha256_of(path) == sha256 for path, sha256 in wanted.items())
