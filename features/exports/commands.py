"""Command `handover export`: the data in its old form, while the server runs."""

import asyncio
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from core.command import Features
    from core.jobs import JobView
    from features.exports.schemas import Form

_RECORDS = (
    *("records", "unchanged", "changed", "added", "unusable", "replaced", "removed"),
    *("bytes", "sha256"),
)
_FILE = ("records", "bytes", "sha256")
_ROWS = ("rows", "unchanged", "translated", "added", "unusable", "removed", "inexpressible")

_List = Literal["items", "ideas", "systems", "files", "audit"]
OneFile = Annotated[
    Path,
    typer.Argument(
        metavar="FILE", help="The file to write, replaced whole if it is there; - is standard output."
    ),
]

app = typer.Typer()
exports = typer.Typer(help="Give the data back in its old form.", no_args_is_help=True)
app.add_typer(exports, name="export")


@exports.command("lowdb")
def export_lowdb(
    ctx: typer.Context,
    file: OneFile,
) -> None:
    """Write the items as the LowDB file that they came from, with what has changed since.

    What has not changed comes out to the byte. The server may run on: the file is that of one moment.
    """
    _end(asyncio.run(_export(ctx.obj, "lowdb", None, None if str(file) == "-" else file, _RECORDS)))


@exports.command("registry")
def export_registry(
    ctx: typer.Context,
    folder: Annotated[
        Path,
        typer.Argument(metavar="FOLDER", help="The folder to write, which is empty or does not exist."),
    ],
) -> None:
    """Write systems, ideas, files and the audit log as CSV of the schema that they came from.

    The bytes of files are in its folder files. The server may run on: the folder is that of one moment.
    """
    from core.console import say_columns
    from features.exports.schemas import RegistryResult
    from features.imports.api import TABLES

    job = asyncio.run(_export(ctx.obj, "registry", None, folder, ("store", *_ROWS, "bytes")))
    if job.state == "succeeded":
        tables = RegistryResult.model_validate(job.result).tables
        figures = [[f"{getattr(tables[table], name):,}" for name in _ROWS] for table in TABLES]
        rows = zip(TABLES, figures, strict=True)
        say_columns([("table", *_ROWS), *((table, *counts) for table, counts in rows)])
    _end(job)


@exports.command("csv")
def export_csv(
    ctx: typer.Context,
    name: Annotated[
        _List,
        typer.Argument(metavar="LIST", help="items, ideas, systems, files or audit.", show_choices=False),
    ],
    file: OneFile,
) -> None:
    """Write a list as CSV: a header line, then the fields of the API's answers.

    A text that a spreadsheet would run as a formula gets an apostrophe before it.
    """
    _end(asyncio.run(_export(ctx.obj, "csv", name, None if str(file) == "-" else file, _FILE)))


def _end(job: "JobView") -> None:
    if job.state != "succeeded":
        raise typer.Exit(1)


async def _export(
    features: "Features", form: "Form", name: str | None, file: Path | None, figures: tuple[str, ...]
) -> "JobView":
    from core.command import command_context
    from core.console import out
    from features.exports.schemas import Wanted
    from features.exports.service import accept, finished_file
    from features.jobs.api.terminal import run_shown, show_ended

    wanted = Wanted.model_validate({"form": form, "list": name})
    if file is None:
        out.stderr = True  # what goes to standard output is the file and nothing else
    async with command_context(features) as here:
        accepted = await accept(here.db, here.jobs, here.settings, here.actor, wanted, file)
        job = await run_shown(here.jobs, accepted.id)
        what = "to standard output" if file is None else f"of {file.name}"
        show_ended(job, f"Export {what}", figures, here.database)
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
