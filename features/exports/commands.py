"""Command `handover export`: the data in its old form, while the server runs."""

import asyncio
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from core.command import Features

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
def export_lowdb(ctx: typer.Context, file: OneFile) -> None:
    """Write the items as the LowDB file that they came from, with what has changed since.

    What has not changed comes out to the byte. The server may run on: the file is that of one moment.
    """
    asyncio.run(_export(ctx.obj, {"form": "lowdb"}, file, _RECORDS))


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
    if str(folder) == "-":
        raise typer.BadParameter("a folder cannot go to standard output; name one", param_hint="FOLDER")
    asyncio.run(_export(ctx.obj, {"form": "registry"}, folder, ("store", *_ROWS, "bytes")))


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
    asyncio.run(_export(ctx.obj, {"form": "csv", "list": name}, file, _FILE))


async def _export(features: "Features", form: dict[str, str], target: Path, figures: tuple[str, ...]) -> None:
    from core.command import command_context
    from core.console import out, say_columns
    from features.exports.schemas import RegistryResult, Wanted
    from features.exports.service import accept, finished_file
    from features.imports.api import TABLES
    from features.jobs.api.terminal import run_shown, show_ended

    wanted = Wanted.model_validate(form)
    path = None if str(target) == "-" else target
    if path is None:
        out.stderr = True  # what goes to standard output is the file and nothing else
    async with command_context(features) as here:
        accepted = await accept(here.db, here.jobs, here.settings, here.actor, wanted, path)
        job = await run_shown(here.jobs, accepted.id)
        what = "to standard output" if path is None else f"of {path.name}"
        show_ended(job, f"Export {what}", figures, here.database)
        if job.state != "succeeded":
            raise typer.Exit(1)
        if wanted.form == "registry":
            tables = RegistryResult.model_validate(job.result).tables
            counts = [(table, *(f"{getattr(tables[table], name):,}" for name in _ROWS)) for table in TABLES]
            say_columns([("table", *_ROWS), *counts])
        if path is None:
            await asyncio.to_thread(_copy_out, await finished_file(here.jobs, here.settings, job.id))


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
