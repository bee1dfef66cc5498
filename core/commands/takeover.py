"""Taking the idea bank over and giving it back: `handover import`, `verify` and `export`."""

import asyncio
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from core.choices import one_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.command import CommandContext
    from core.jobs import JobKind, JobView
    from features.imports.api import Compared, Difference

imports = typer.Typer(help="Bring legacy data in, and take it back.", no_args_is_help=True)
exports = typer.Typer(help="Give the data back in its old form.", no_args_is_help=True)
verification = typer.Typer(help="Compare a legacy source with what is stored.", no_args_is_help=True)

LowDbFile = Annotated[
    Path, typer.Argument(help="The LowDB file: a JSON object with a list of items, or a bare list.")
]
SinceLast = Annotated[
    bool, typer.Option("--since-last", help="Only what has changed in the source since the last import.")
]
_SHOWN_CHARACTERS = 60
_ALIKE_CHARACTERS = 20


async def clear_the_way(here: "CommandContext", kind: str) -> None:
    """Carry on a job that stands in the way of this kind and has lost its process, and say so. Raises
    JobConflict when another process runs it.
    """
    from core import console
    from core.jobs import JobConflict, Jobs

    try:
        await here.jobs.raise_if_taken(kind)
    except JobConflict as conflict:
        job_id = conflict.job_id
        if not await here.jobs.is_orphaned(job_id):
            raise
        jobs = Jobs(here.db, here.cache, here.settings, kinds())
        try:
            begun = await jobs.get(job_id)
            console.say(f"Job {job_id} ({begun.kind}) has lost its process and is carried on first.")
            job = await console.run_shown(jobs, job_id)
        finally:
            await jobs.stop()
        if not job.ended:
            raise
        console.say(f"Job {job_id} {job.state}" + (f": {job.error}" if job.error else ""))
        if job.state == "cancelled" and not begun.cancel_requested:
            raise typer.Exit(1) from None


def kinds() -> "Sequence[JobKind]":
    from core.app import FEATURES

    return [kind for feature in FEATURES for kind in feature.jobs]


@imports.command("lowdb")
def import_lowdb(
    file: LowDbFile,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only check: writes nothing but the job.")
    ] = False,
    since_last: SinceLast = False,
    on_conflict: Annotated[
        Literal["skip", "overwrite", "fail"],
        typer.Option(
            help="What to do with ids that are stored already.", **one_of("skip", "overwrite", "fail")
        ),
    ] = "skip",
    max_rejects: Annotated[
        int | None, typer.Option(min=0, help="Load nothing when more records than this are unusable.")
    ] = None,
) -> None:
    """Import the items of a LowDB file, with live progress. Running it again is safe.

    Every record is checked before anything is written, and afterwards the table is compared with the file
    row by row. Ctrl-C cancels the job; what was loaded until then stays.

    With --since-last a record that has changed both in the file and here is a conflict: it is named and left
    alone. So are records that have vanished from the file.
    """
    one_way(on_conflict, since_last=since_last)
    _end_with(
        asyncio.run(
            _import(
                file,
                dry_run=dry_run,
                since_last=since_last,
                on_conflict=on_conflict,
                max_rejects=max_rejects,
            )
        )
    )


def one_way(on_conflict: str, *, since_last: bool) -> None:
    if since_last and on_conflict != "skip":
        raise typer.BadParameter("cannot be chosen together with --since-last", param_hint="--on-conflict")


def _lowdb() -> "Sequence[JobKind]":
    """All kinds would take the modules of the whole app, which this command does not need."""
    from features.imports.jobs import LOWDB

    return [LOWDB]


async def _import(file: Path, **chosen: object) -> "JobView":
    from core.command import command_context

    async with command_context(_lowdb) as here:
        from core import console
        from features.imports.api import KIND, Options, accept_file

        await clear_the_way(here, KIND)
        options = Options.model_validate({"source": "lowdb", **chosen})
        job = await accept_file(here.db, here.jobs, here.settings, here.actor, file, options)
        job = await console.run_shown(here.jobs, job.id)
        console.show_summary(job, here.database)
        return job


@imports.command("undo")
def undo(job_id: Annotated[str, typer.Argument(metavar="JOB", help="The job of the import.")]) -> None:
    """Take an import back: delete what it inserted, restore what it overwrote. All of it or nothing.

    When any of it has changed since, nothing happens but that the conflicts are listed; the exit code is 1.
    """
    _end_with(asyncio.run(_undo(job_id)))


async def _undo(job_id: str) -> "JobView":
    from core import console
    from core.command import command_context
    from features.imports.api import UNDO_KIND, accept_undo

    async with command_context(kinds) as here:
        await clear_the_way(here, UNDO_KIND)
        accepted = await accept_undo(here.db, here.jobs, here.actor, job_id)
        job = await console.run_shown(here.jobs, accepted.id)
        figures = ("deleted", "restored", "gone", "conflicts")
        console.show_ended(
            job, f"Undo of import {job_id}", figures, here.database, conflicts="firstConflicts"
        )
        return job


@exports.command("lowdb")
def export_lowdb(
    file: Annotated[
        Path, typer.Argument(help="The file to write, replaced whole if it is there; - is standard output.")
    ],
) -> None:
    """Write the items as the LowDB file that they came from, with what has changed since.

    What has not changed comes out to the byte. The server may run on: the file is that of one moment.
    """
    _end_with(asyncio.run(_export(None if str(file) == "-" else file)))


async def _export(file: Path | None) -> "JobView":
    from core import console
    from core.command import command_context
    from features.exports.api import accept, finished_file

    if file is None:
        console.out.stderr = True  # what goes to standard output is the file and nothing else
    async with command_context(kinds) as here:
        accepted = await accept(here.db, here.jobs, here.settings, here.actor, file)
        job = await console.run_shown(here.jobs, accepted.id)
        figures = (
            *("records", "unchanged", "changed", "added", "unusable", "replaced", "removed"),
            *("bytes", "sha256"),
        )
        console.show_ended(job, f"Export of {job.arguments['filename']}", figures, here.database)
        if file is None and job.state == "succeeded":
            await asyncio.to_thread(_copy_out, await finished_file(here.jobs, here.settings, job.id))
        return job


def _copy_out(path: Path) -> None:
    """To standard output, past its buffer: who reads it may have gone. Raises TargetUnusable."""
    from features.exports.api import TargetUnusable

    with path.open("rb") as file:
        while data := memoryview(file.read(1 << 20)):
            while data:
                try:
                    data = data[os.write(sys.stdout.fileno(), data) :]
                except BrokenPipeError:
                    raise typer.Exit(1) from None
                except OSError as error:
                    raise TargetUnusable(f"Standard output cannot be written: {error.strerror}") from error
    path.unlink()


@verification.command("lowdb")
def verify_lowdb(file: LowDbFile) -> None:
    """Compare a LowDB file with the items and print every difference. Writes nothing; exit code 1 if any."""
    compared = asyncio.run(_verify(file))
    end_comparison(compared, f"{compared.records:,} records and {compared.stored:,} items")


def end_comparison(compared: "Compared", what: str) -> None:
    """With the exit code that says whether there was a difference."""
    if compared.differences:
        noun = "difference" if compared.differences == 1 else "differences"
        typer.echo(f"{compared.differences:,} {noun} between {what}.")
        raise typer.Exit(1)
    typer.echo(f"No difference between {what}.")


async def _verify(file: Path) -> "Compared":
    from core.command import command_context
    from features.imports.api import compare_file

    async with command_context(list) as here:
        return await compare_file(here.db, file, lambda each: show_difference(each, "file"))


def show_difference(difference: "Difference", source: str) -> None:
    typer.echo(f"{difference.kind:<10} {difference.id}")
    for name, there, here in difference.fields:
        values = f"{_short(there, here)} in the {source}, {_short(here, there)} here" if here else there
        typer.echo(f"{'':<10}   {name}: {values}")


def _short(text: str, other: str) -> str:
    """As much of a long text as says where it is not the other."""
    begin = 0
    if max(len(text), len(other)) > _SHOWN_CHARACTERS:
        pairs = enumerate(zip(text, other, strict=False))
        alike = next((place for place, (one, two) in pairs if one != two), min(len(text), len(other)))
        begin = max(0, alike - _ALIKE_CHARACTERS)
    end = begin + _SHOWN_CHARACTERS
    return ("..." if begin else "") + text[begin:end] + ("..." if text[end:] else "")


def _end_with(job: "JobView") -> None:
    if job.state != "succeeded":
        raise typer.Exit(1)
