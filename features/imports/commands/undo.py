"""Command `handover import undo`."""

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from features.imports.commands.options import DryRun, imports

if TYPE_CHECKING:
    from core.command import Features
    from core.jobs import JobView


@imports.command("undo")
def undo(
    ctx: typer.Context,
    job_id: Annotated[str, typer.Argument(metavar="JOB", help="The job of the import.")],
    keep_changed: Annotated[
        bool, typer.Option("--keep-changed", help="Leave what has changed since, take back the rest.")
    ] = False,
    dry_run: DryRun = False,
) -> None:
    """Take an import back: delete what it inserted, restore what it overwrote. All of it or nothing.

    When any of it has changed since, nothing happens but that the conflicts are listed; the exit code is 1.
    With --keep-changed such rows stay, and those that they need, and are listed.
    """
    from features.imports.commands.running import end_with

    end_with(asyncio.run(_undo(ctx.obj, job_id, keep_changed, dry_run)))


async def _undo(features: "Features", job_id: str, keep_changed: bool, dry_run: bool) -> "JobView":
    from core.command import command_context
    from features.imports.commands.running import clear_the_way
    from features.imports.service import accept_undo
    from features.imports.undo.schemas import UndoChoices
    from features.jobs.api.terminal import run_shown, show_ended

    choices = UndoChoices(keep_changed=keep_changed, dry_run=dry_run)
    async with command_context(features) as here:
        await clear_the_way(here, features)
        accepted = await accept_undo(here.db, here.jobs, here.actor, job_id, choices)
        job = await run_shown(here.jobs, accepted.id)
        figures = ("deleted", "restored", "gone", "kept", "conflicts")
        what = f"{'Dry run of the undo' if dry_run else 'Undo'} of import {job_id}"
        told = {"firstConflicts": "conflicts", "firstKept": "kept"}
        show_ended(job, what, figures, here.database, told=told)
        return job
