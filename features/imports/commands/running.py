"""Import jobs as commands run them: after what another process has left, and to the summary."""

from collections.abc import Awaitable, Callable

import typer

from core.command import CommandContext, Features, command_context
from core.console import say
from core.feature import kinds_of
from core.jobs import JobConflict, Jobs, JobView
from features.imports.commands.shown import show_summary, show_unknown
from features.imports.schemas import KIND
from features.jobs.api.terminal import run_shown


async def run_import(
    needed: Features, features: Features, accept: Callable[[CommandContext], Awaitable[JobView]]
) -> JobView:
    """Accept an import and run it to its end. `needed` are the features whose modules it needs."""
    async with command_context(needed) as here:
        await clear_the_way(here, features)
        job = await accept(here)
        show_unknown(job)
        job = await run_shown(here.jobs, job.id)
        show_summary(job, here.database)
        return job


async def clear_the_way(here: CommandContext, features: Features) -> None:
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


def end_with(job: JobView) -> None:
    if job.state != "succeeded":
        raise typer.Exit(1)
