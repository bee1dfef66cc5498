"""Commands of the idea bank: `handover import lowdb`, `import undo` and `verify lowdb`."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from features.imports.commands.options import (
    Conflict,
    DryRun,
    MaxRejects,
    OnConflict,
    SinceLast,
    imports,
    one_way,
    verification,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.command import Features
    from core.feature import Feature
    from core.jobs import JobView
    from features.imports.pipeline.comparison import Compared

LowDbFile = Annotated[
    Path, typer.Argument(help="The LowDB file: a JSON object with a list of items, or a bare list.")
]


@imports.command("lowdb")
def import_lowdb(
    ctx: typer.Context,
    file: LowDbFile,
    dry_run: DryRun = False,
    since_last: SinceLast = False,
    on_conflict: OnConflict = "skip",
    max_rejects: MaxRejects = None,
) -> None:
    """Import the items of a LowDB file, with live progress. Running it again is safe.

    Every record is checked before anything is written, and afterwards the table is compared with the file
    row by row. Ctrl-C cancels the job; what was loaded until then stays.

    With --since-last a record that has changed both in the file and here is a conflict: it is named and left
    alone. So are records that have vanished from the file.
    """
    from features.imports.commands.shown import end_with

    one_way(on_conflict, since_last=since_last)
    end_with(asyncio.run(_import(ctx.obj, file, dry_run, since_last, on_conflict, max_rejects)))


def _lowdb() -> "Sequence[Feature]":
    """The feature with the one job that is needed: all features would import the modules of the whole app."""
    from core.feature import Feature
    from features.imports.jobs import LOWDB

    return [Feature("imports", jobs=(LOWDB,))]


async def _import(
    features: "Features",
    file: Path,
    dry_run: bool,
    since_last: bool,
    on_conflict: Conflict,
    max_rejects: int | None,
) -> "JobView":
    from core.command import command_context

    async with command_context(_lowdb) as here:
        from core.console import run_shown
        from features.imports.commands.shown import clear_the_way, show_summary
        from features.imports.schemas import KIND, Options
        from features.imports.service import accept_file

        await clear_the_way(here, features, KIND)
        options = Options(
            source="lowdb",
            dry_run=dry_run,
            since_last=since_last,
            on_conflict=on_conflict,
            max_rejects=max_rejects,
        )
        job = await accept_file(here.db, here.jobs, here.settings, here.actor, file, options)
        job = await run_shown(here.jobs, job.id)
        show_summary(job, here.database)
        return job


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
    from features.imports.commands.shown import end_with

    end_with(asyncio.run(_undo(ctx.obj, job_id, keep_changed, dry_run)))


async def _undo(features: "Features", job_id: str, keep_changed: bool, dry_run: bool) -> "JobView":
    from core.command import command_context
    from core.console import run_shown, show_ended
    from features.imports.commands.shown import clear_the_way
    from features.imports.schemas import UNDO_KIND
    from features.imports.undo.accept import accept_undo
    from features.imports.undo.schemas import UndoChoices

    choices = UndoChoices(keep_changed=keep_changed, dry_run=dry_run)
    async with command_context(features) as here:
        await clear_the_way(here, features, UNDO_KIND)
        accepted = await accept_undo(here.db, here.jobs, here.actor, job_id, choices)
        job = await run_shown(here.jobs, accepted.id)
        figures = ("deleted", "restored", "gone", "kept", "conflicts")
        what = f"{'Dry run of the undo' if dry_run else 'Undo'} of import {job_id}"
        told = {"firstConflicts": "conflicts", "firstKept": "kept"}
        show_ended(job, what, figures, here.database, told=told)
        return job


@verification.command("lowdb")
def verify_lowdb(file: LowDbFile) -> None:
    """Compare a LowDB file with the items and print every difference. Writes nothing; exit code 1 if any."""
    from features.imports.commands.shown import end_comparison

    compared = asyncio.run(_verify(file))
    end_comparison(compared, f"{compared.records:,} records and {compared.stored:,} items")


async def _verify(file: Path) -> "Compared":
    from core.command import command_context
    from features.imports.commands.shown import show_difference
    from features.imports.lowdb.source import LowDbSource
    from features.imports.pipeline.comparison import compare
    from features.imports.schemas import LowDbArguments

    source = LowDbSource(LowDbArguments(source="lowdb", filename=file.name, path=str(file)), file.parent)
    async with command_context(list) as here:
        return await compare(here.db, source, lambda each: show_difference(each, "file"))
