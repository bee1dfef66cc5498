"""Command `handover export`: the data in its old form, while the server runs."""

import asyncio
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from core.command import Features
    from core.jobs import JobView

app = typer.Typer()
exports = typer.Typer(help="Give the data back in its old form.", no_args_is_help=True)
app.add_typer(exports, name="export")


@exports.command("lowdb")
def export_lowdb(
    ctx: typer.Context,
    file: Annotated[
        Path, typer.Argument(help="The file to write, replaced whole if it is there; - is standard output.")
    ],
) -> None:
    """Write the items as the LowDB file that they came from, with what has changed since.

    What has not changed comes out to the byte. The server may run on: the file is that of one moment.
    """
    job = asyncio.run(_export(ctx.obj, None if str(file) == "-" else file))
    if job.state != "succeeded":
        raise typer.Exit(1)


async def _export(features: "Features", file: Path | None) -> "JobView":
    from core import console
    from core.command import command_context
    from features.exports.service import accept, finished_file

    if file is None:
        console.out.stderr = True  # what goes to standard output is the file and nothing else
    async with command_context(features) as here:
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
    """Copy a file to standard output, unbuffered, then delete it. Raises TargetUnusable, Exit(1) if the
    reader is gone.
    """
    from features.exports.errors import TargetUnusable

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
