"""Imports, undos and comparisons as commands run them, to the summary. They return True if all is well."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import typer

from core.command import CommandContext, Features, command_context
from core.console import out, say
from core.feature import Feature, kinds_of
from core.jobs import JobConflict, Jobs, JobView
from features.imports.commands.shown import show_compared, show_difference, show_summary, show_unknown
from features.imports.schemas import KIND, FileArguments, FileOptions, RegistryOptions
from features.jobs.api.terminal import run_shown, show_ended


async def import_file(features: Features, file: str, given: Mapping[str, Any]) -> bool:
    def needed() -> Sequence[Feature]:
        """All features would import the modules of the whole app."""
        from features.imports.jobs import JOBS

        return [Feature("imports", jobs=JOBS)]

    async def accept(here: CommandContext) -> JobView:
        from features.imports.errors import UploadInvalid
        from features.imports.service import accept_file, valid

        try:
            known = FileOptions.model_fields.keys() & given.keys()
            options = valid(FileOptions, {name: given[name] for name in known})
        except UploadInvalid as error:
            raise typer.BadParameter(error.details[0].message, param_hint=error.details[0].field) from None
        return await accept_file(here.db, here.jobs, here.settings, here.actor, Path(file), options)

    return await _import(needed, features, accept)


async def import_registry(features: Features, source: str, given: Mapping[str, Any]) -> bool:
    async def accept(here: CommandContext) -> JobView:
        from features.imports.registry.accept import accept_registry

        options = RegistryOptions.model_validate(given)
        with out.status("capture") as status:
            return await accept_registry(
                *(here.db, here.jobs, here.settings, here.actor, source, options),
                lambda table, rows: status.update(f"capture   {table}: {rows:,} rows"),
            )

    return await _import(features, features, accept)


async def undo_import(features: Features, job_id: str, *, keep_changed: bool, dry_run: bool) -> bool:
    async with command_context(features) as here:
        from features.imports.service import accept_undo
        from features.imports.undo.schemas import UndoChoices

        await _clear_the_way(here, features)
        choices = UndoChoices(keep_changed=keep_changed, dry_run=dry_run)
        accepted = await accept_undo(here.db, here.jobs, here.actor, job_id, choices)
        job = await run_shown(here.jobs, accepted.id)
        figures = ("deleted", "restored", "gone", "kept", "conflicts")
        what = f"{'Dry run of the undo' if dry_run else 'Undo'} of import {job_id}"
        told = {"firstConflicts": "conflicts", "firstKept": "kept"}
        show_ended(job, what, figures, here.database, told=told)
        return job.state == "succeeded"


async def compare_file(file: Path) -> bool:
    from features.imports.comparison.compare import compare
    from features.imports.lowdb.source import LowDbSource
    from features.imports.service import readable_file

    path = readable_file(file)
    source = LowDbSource(FileArguments(source="lowdb", filename=file.name, path=str(path)), path.parent)
    async with command_context(list) as here:
        compared = await compare(here.db, source, lambda each: show_difference(each, "file"))
    return show_compared(compared, f"{compared.records:,} records and {compared.stored:,} items")


async def compare_registry(
    source: str, files: Path | None, store: Literal["questdb", "postgres"] | None
) -> bool:
    from features.imports.registry import accept
    from features.imports.registry.live import guessed_source

    options = RegistryOptions(source=store or guessed_source(source), files=files)
    async with command_context(list) as here:
        compared = await accept.compare_registry(
            here.db, here.settings, source, options, lambda each: show_difference(each, "source")
        )
    return show_compared(compared, f"{compared.records:,} records and {compared.stored:,} rows here")


async def _import(
    needed: Features, features: Features, accept: Callable[[CommandContext], Awaitable[JobView]]
) -> bool:
    """Accept an import and run it to its end. `needed` are the features whose modules it needs."""
    async with command_context(needed) as here:
        await _clear_the_way(here, features)
        job = await accept(here)
        show_unknown(job)
        job = await run_shown(here.jobs, job.id)
        show_summary(job, here.database)
        return job.state == "succeeded"


async def _clear_the_way(here: CommandContext, features: Features) -> None:
    """Carry on an orphaned import or undo. Raises JobConflict if another process runs one."""
    try:
        await here.jobs.raise_if_taken(KIND)
    except JobConflict as conflict:
        job_id = conflict.job_id
        if not await here.jobs.is_orphaned(job_id):
            raise
        jobs = Jobs(here.db, here.cache, here.settings, kinds_of(features()))
        try:
            begun = await jobs.get(job_id)
            say(f"Job {job_id} ({begun.kind}) has lost its process and is carried on first.")
            job = await run_shown(jobs, job_id)
        finally:
            await jobs.stop()
        if not job.ended:
            raise
        say(f"Job {job_id} {job.state}" + (f": {job.error}" if job.error else ""))
        if job.state == "cancelled" and not begun.cancel_requested:
            raise typer.Exit(1) from None
